/** One server on one database: a lock that lives as long as the session, and a row that only the last owner can change. */
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { StoreError, StoreFault } from '../fault.ts';
import { urlOf, type PostgresPlace } from './place.ts';

/** Marks the lock as one of SRUP: the letters in ASCII. */
const LOCK_CLASS = 0x53525550;
/** How long the lock may still be held by a session whose process has ended, in milliseconds. */
const PATIENCE_MS = 30_000;
const LOOK_MS = 250;

export interface Claim {
  readonly place: PostgresPlace;
  readonly schema: string;
  /** The process that claims it. */
  readonly owner: string;
  /** False: the process had it before, and lost its session. */
  readonly isFirst: boolean;
  /** Tells a person what it waits for. */
  readonly tell: (what: string) => void;
}

/**
 * Takes the database for this process: its lock, and its row. Rejects with `StoreError` when another server has the
 * lock, or has had it since this one lost its session: what this process remembers would be wrong then.
 */
export async function claimDatabase(
  client: pg.Client,
  { place, schema, owner, isFirst, tell }: Claim,
): Promise<void> {
  const key = createHash('sha256').update(schema).digest().readInt32BE();
  for (let waited = 0; !(await tryLock(client, key)); waited += LOOK_MS) {
    if (waited >= PATIENCE_MS) throw await takenFault(client, key, place);
    if (waited === LOOK_MS) tell(`the server waits until nobody else uses the database ${urlOf(place)}`);
    await pause(LOOK_MS);
  }
  await client.query(`create schema if not exists ${client.escapeIdentifier(schema)}`);
  await client.query(
    'create table if not exists writer (place int primary key, owner text not null, turn bigint not null)',
  );
  if (isFirst) {
    await client.query(
      'insert into writer values (1, $1, 0) on conflict (place) do update set owner = excluded.owner, turn = 0',
      [owner],
    );
    return;
  }
  const { rows } = await client.query<{ owner: string }>('select owner from writer');
  if (rows[0]?.owner !== owner) {
    throw new StoreFault('another server used the database meanwhile: restart this one');
  }
}

async function tryLock(client: pg.Client, key: number): Promise<boolean> {
  const { rows } = await client.query<{ got: boolean }>('select pg_try_advisory_lock($1, $2) as got', [
    LOCK_CLASS,
    key,
  ]);
  return rows[0]?.got === true;
}

async function takenFault(client: pg.Client, key: number, place: PostgresPlace): Promise<StoreError> {
  const { rows } = await client.query<{ pid: number; address: string | null; since: string }>(
    `select a.pid, host(a.client_addr) as address, to_char(a.backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC') as since
     from pg_locks l join pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory' and l.classid = $1 and l.objid::bigint = $2 and l.granted
       and l.database = (select oid from pg_database where datname = current_database())`,
    [LOCK_CLASS, key >>> 0],
  );
  const [holder] = rows;
  const who =
    holder === undefined
      ? 'Another server'
      : `Another server (PostgreSQL's process ${holder.pid}, from ${holder.address ?? 'a socket'}, since ${holder.since})`;
  return new StoreError(
    `${who} uses the database ${urlOf(place)}. One server works on a database: stop the other one, or give this one a database of its own.`,
  );
}
