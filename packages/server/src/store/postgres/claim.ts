/** One server on one database: a lock that lives as long as the session, and a row that only the last owner can change. */
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { Ousted, StoreError } from '../fault.ts';
import { urlOf, type PostgresPlace } from './place.ts';

/** Marks the lock as one of SRUP: the letters in ASCII. */
const LOCK_CLASS = 0x53525550;
/** Between two looks at a lock that another session holds, in milliseconds. */
const LOOK_MS = 100;
/** How long the lock is waited for before a person is told, in milliseconds. */
const TELL_AFTER_MS = 1_000;

/** A session of PostgreSQL: the number of a process can come again, but not with the same start. */
export interface Backend {
  readonly pid: number;
  readonly started: string;
}

/** What a process that comes back remembers of its time before. */
export interface Before {
  /** The session that it lost. */
  readonly backend: Backend;
  /** The last turn that it knows to be committed. */
  readonly turn: number;
}

export interface Claim {
  readonly place: PostgresPlace;
  readonly schema: string;
  /** The process that claims it. */
  readonly owner: string;
  /** Undefined: the process claims it for the first time. */
  readonly before: Before | undefined;
  /** How long the lock may still be held by a session whose process has ended, in milliseconds. */
  readonly lockMs: number;
  /** Tells a person what it waits for. */
  readonly tell: (what: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Takes the database for this process: its lock, and its row. Rejects with `StoreError` when another server has the
 * lock, and with `Ousted` when another one has had it since this process lost its session, or the database forgot what
 * was committed.
 */
export async function claimDatabase(client: pg.Client, claim: Claim): Promise<Backend> {
  const { schema, owner, before } = claim;
  await takeLock(client, claim);
  await makeSchema(client, schema);
  if (before === undefined) {
    await client.query(
      'insert into writer values (1, $1, 0) on conflict (place) do update set owner = excluded.owner, turn = 0',
      [owner],
    );
  } else {
    await checkRow(client, owner, before.turn);
  }
  const { rows } = await client.query<Backend>(
    'select pid, backend_start::text as started from pg_stat_activity where pid = pg_backend_pid()',
  );
  return rows[0] ?? { pid: 0, started: '' };
}

async function takeLock(client: pg.Client, claim: Claim): Promise<void> {
  const { place, schema, before, lockMs, tell, signal } = claim;
  const key = createHash('sha256').update(schema).digest().readInt32BE();
  for (let waited = 0; !(await tryLock(client, key)); waited += LOOK_MS) {
    if (waited >= lockMs) throw await takenFault(client, key, place);
    // A network that swallows everything: PostgreSQL does not know yet that our old session has ended.
    if (waited === LOOK_MS && before !== undefined) await endBackend(client, before.backend);
    if (waited === TELL_AFTER_MS)
      tell(
        `the server waits until nobody else uses the database ${urlOf(place)}, at most ${lockMs / 1_000} s`,
      );
    await pause(LOOK_MS, undefined, { signal });
  }
}

async function tryLock(client: pg.Client, key: number): Promise<boolean> {
  const { rows } = await client.query<{ got: boolean }>('select pg_try_advisory_lock($1, $2) as got', [
    LOCK_CLASS,
    key,
  ]);
  return rows[0]?.got === true;
}

async function endBackend(client: pg.Client, { pid, started }: Backend): Promise<void> {
  await client.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and backend_start::text = $2',
    [pid, started],
  );
}

/** A right to make schemas is not needed where somebody made this one. */
async function makeSchema(client: pg.Client, schema: string): Promise<void> {
  const found = await client.query('select 1 from pg_namespace where nspname = $1', [schema]);
  if (found.rows.length === 0) await client.query(`create schema ${client.escapeIdentifier(schema)}`);
  await client.query(
    'create table if not exists writer (place int primary key, owner text not null, turn bigint not null)',
  );
}

async function checkRow(client: pg.Client, owner: string, turn: number): Promise<void> {
  const { rows } = await client.query<{ owner: string; turn: number }>('select owner, turn from writer');
  const [row] = rows;
  if (row?.owner !== owner) {
    throw new Ousted(
      'another server has used the database meanwhile; nothing is taken any more. Stop one of the two, and restart the other',
    );
  }
  // A standby that lagged took over. To go on would use numbers twice (P 5.1).
  if (row.turn < turn) {
    throw new Ousted(
      `the database has lost ${turn - row.turn} transactions that were committed (did a standby that lagged take over?); nothing is taken any more. ` +
        'Stop this server, back up what is there (srup backup), and restore that (srup restore), which moves the numbers of all messages on',
    );
  }
}

interface Holder {
  readonly pid: number;
  readonly address: string | null;
  readonly since: string | null;
}

async function takenFault(client: pg.Client, key: number, place: PostgresPlace): Promise<StoreError> {
  const { rows } = await client.query<Holder>(
    `select a.pid, host(a.client_addr) as address, to_char(a.backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC') as since
     from pg_locks l join pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory' and l.classid = $1 and l.objid::bigint = $2 and l.granted
       and l.database = (select oid from pg_database where datname = current_database())`,
    [LOCK_CLASS, key >>> 0],
  );
  return new StoreError(
    `${nameOf(rows[0])} uses the database ${urlOf(place)}. One server works on a database: stop the other one, or give this one a database of its own.`,
  );
}

function nameOf(holder: Holder | undefined): string {
  if (holder === undefined) return 'Another server';
  const { pid, address, since } = holder;
  // PostgreSQL shows a session of another role without its start and its address.
  const more = since === null ? '' : `, from ${address ?? 'a socket'}, since ${since}`;
  return `Another server (PostgreSQL's process ${pid}${more})`;
}
