/** Prepares a schema for a copy. */
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { MAKE_COPY_TABLE, parseCopyNote, type CopyNote } from '../../copied.ts';
import { claimDatabase } from '../claim.ts';
import { copyNoteIn } from './contents.ts';
import type { PostgresStorePlace } from '../place.ts';
import { connect, connectionFault } from '../session.ts';
import { TIMES } from '../times.ts';

/** What a schema holds. */
export interface Holding {
  /** True: nothing, or only what a server's claim leaves. */
  readonly isEmpty: boolean;
  readonly note: CopyNote | undefined;
}

/** Looks at a schema, which need not exist. Rejects as `connect` does. */
export async function lookAt(place: PostgresStorePlace): Promise<Holding> {
  return withSession(place, (client) => holdingOf(client, place));
}

/**
 * Empties a schema and leaves the note there, in one transaction. Takes the lock of the database for that time, so that
 * no server works on it. `check` throws when what is there must stay. Rejects as `connect` does: with `StoreError` when
 * the user does not own the schema, or may not make one.
 */
export async function clearSchema(
  place: PostgresStorePlace,
  note: CopyNote,
  check: (holding: Holding) => void,
  tell: (what: string) => void,
): Promise<void> {
  const { schema } = place;
  await withSession(place, async (client) => {
    await claimDatabase(client, {
      ...{ place, schema, owner: randomUUID(), before: undefined, lockMs: TIMES.lockMs, tell },
      signal: AbortSignal.any([]),
    });
    check(await holdingOf(client, place));
    const name = client.escapeIdentifier(schema);
    await client.query('begin');
    await client.query(`drop schema ${name} cascade`);
    await client.query(`create schema ${name}`);
    await client.query(MAKE_COPY_TABLE);
    await client.query('insert into copy_note (place, note) values (1, $1)', [JSON.stringify(note)]);
    await client.query('commit');
  });
}

async function withSession<Value>(
  place: PostgresStorePlace,
  work: (client: pg.Client) => Promise<Value>,
): Promise<Value> {
  const { client, end } = await connect(place, { schema: place.schema, name: 'srup: copy' });
  try {
    return await work(client);
  } catch (fault) {
    throw connectionFault(place, fault);
  } finally {
    await end();
  }
}

/** Whatever depends on a schema goes with it: somebody's view or function too. */
const COUNT_OTHERS = `select count(*)::int as others
  from pg_namespace n join pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid
  where n.nspname = $1 and d.deptype = 'n' and not (d.classid = 'pg_class'::regclass and d.objid in (
    select oid from pg_class where relnamespace = n.oid and relname = 'writer'))`;

async function holdingOf(client: pg.Client, { schema }: PostgresStorePlace): Promise<Holding> {
  const { rows } = await client.query<{ others: number }>(COUNT_OTHERS, [schema]);
  const text = await copyNoteIn(client);
  return { isEmpty: rows[0]?.others === 0, note: text === undefined ? undefined : parseCopyNote(text) };
}
