import type { Kysely } from 'kysely';
import type { Store } from '../src/store/port.ts';

/** The database behind the port: a test breaks it, fills it, or writes what no part of the server would write. */
export function behind<Tables>({ read }: Store<Tables>): Kysely<Tables> {
  return read as Kysely<Tables>;
}
