/**
 * What a copy leaves in a database, at both of its ends: a note that says whether a server may use it. It is in a table
 * of its own, which no server needs, and is never copied.
 */
import { sql } from 'kysely';
import { StoreError } from './fault.ts';
import type { Store, Write } from './port.ts';

export interface CopyNote {
  /**
   * `unfinished`: a copy into it was begun, and nobody knows what is there. `finished`: it came from elsewhere whole.
   * `moved`: a server works with the copy now, so what is here is out of date.
   */
  readonly state: 'unfinished' | 'finished' | 'moved';
  /** Names the copy; both of its ends have it. */
  readonly copy: string;
  /** The identity of the server whose data it is, as hex text. */
  readonly server: string;
  /** The other end, for people. */
  readonly other: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The table with the note, and the statements that every database understands. */
export const COPY_TABLE = 'copy_note';
export const MAKE_COPY_TABLE = `create table if not exists ${COPY_TABLE} (place integer primary key, note text not null)`;
export const SELECT_COPY_NOTE = `select note from ${COPY_TABLE}`;

/** Throws `StoreError` when the note says that no server may use the database. `text` is what the table holds. */
export function refuseCopied(text: string | undefined, place: string): void {
  if (text === undefined) return;
  const { state, other, at } = parseCopyNote(text);
  if (state === 'unfinished') {
    throw new StoreError(
      `A copy from ${other} into ${place} was not finished. Run it again: srup database copy, or srup restore.`,
    );
  }
  if (state !== 'moved') return;
  throw new StoreError(
    `What is in ${place} was moved to ${other} on ${new Date(at).toISOString().slice(0, 10)}, so it is out of date. ` +
      'Start the server on that database; to come back, copy it back (srup database copy).',
  );
}

export function parseCopyNote(text: string): CopyNote {
  return JSON.parse(text) as CopyNote;
}

/** Leaves the note in a database, or replaces it. */
export async function writeCopyNote<Tables>(write: Write<Tables>, note: CopyNote): Promise<void> {
  await sql.raw(MAKE_COPY_TABLE).execute(write);
  await sql`insert into ${sql.table(COPY_TABLE)} (place, note) values (1, ${JSON.stringify(note)})
    on conflict (place) do update set note = excluded.note`.execute(write);
}

/** Finds the note in a database that is open. */
export function findCopyNote<Tables>(store: Store<Tables>): Promise<CopyNote | undefined> {
  return store.commit(async (write) => {
    await sql.raw(MAKE_COPY_TABLE).execute(write);
    const { rows } = await sql.raw<{ note: string }>(SELECT_COPY_NOTE).execute(write);
    return rows[0] === undefined ? undefined : parseCopyNote(rows[0].note);
  });
}
