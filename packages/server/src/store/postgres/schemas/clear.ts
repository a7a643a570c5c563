/** Prepares a schema for a copy. */
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { MAKE_COPY_TABLE, parseCopyNote, type CopyNote } from '../../copied.ts';
import { claimDatabase } from '../claim.ts';
import { copyNoteIn } from './contents.ts';
import type { PostgresStorePlace } from '../place.ts';
import { connect } from '../session.ts';
import { TIMES } from '../times.ts';

/** What a schema holds. */
export interface Holding {
  /** True: no table, or only what a server's claim leaves. */
  readonly isEmpty: boolean;
  readonly note: CopyNote | undefined;
}

/** Looks at a schema, which need not exist. Rejects as `connect` does. */
export async function lookAt(place: PostgresStorePlace): Promise<Holding> {
  const { client, end } = await connect(place, { schema: place.schema, name: 'srup: copy' });
  try {
    return await holdingOf(client, place);
  } finally {
    await end();
  }
}

/**
 * Empties a schema and leaves the note there, in one transaction. Takes the lock of the database for that time, so that
 * no server works on it. `check` throws when what is there must stay.
 */
export async function clearSchema(
  place: PostgresStorePlace,
  note: CopyNote,
  check: (holding: Holding) => void,
  tell: (what: string) => void,
): Promise<void> {
  const { schema } = place;
  const { client, end } = await connect(place, { schema, name: 'srup: copy' });
  try {
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
  } finally {
    await end();
  }
}

async function holdingOf(client: pg.Client, { schema }: PostgresStorePlace): Promise<Holding> {
  const { rows } = await client.query<{ others: number }>(
    "select count(*)::int as others from pg_tables where schemaname = $1 and tablename <> 'writer'",
    [schema],
  );
  const text = await copyNoteIn(client);
  return { isEmpty: rows[0]?.others === 0, note: text === undefined ? undefined : parseCopyNote(text) };
}
