/** Copies of databases while others write to them, all of them as they were at one time. */
import { backup, DatabaseSync } from 'node:sqlite';

/** Pages that are copied at a time. In between the process does other things. */
const PAGES_AT_ONCE = 2_000;
/** Milliseconds that a copy waits for another process that writes. */
const BUSY_TIMEOUT_MS = 10_000;

export interface Snapshots {
  /** Writes the copy of one database to a new file. */
  copy(file: string, to: string): Promise<void>;
  close(): void;
}

/**
 * Holds the state of each database as it is now, one a moment after the other, in the given order. The copies do not
 * have what others commit later, and others do not wait for the copies (WAL).
 *
 * @example
 * const snapshots = holdDatabases(['server/fleet.db', 'key-service/identities.sqlite']);
 * await snapshots.copy('server/fleet.db', 'copy.db');
 * snapshots.close();
 */
export function holdDatabases(files: readonly string[]): Snapshots {
  const held = new Map<string, DatabaseSync>();
  const close = (): void => {
    for (const database of held.values()) database.close();
  };
  try {
    for (const file of files) {
      held.set(file, new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS }));
    }
    for (const database of held.values()) {
      // A transaction begins with its first reading.
      database.exec('begin');
      database.prepare('select count(*) from sqlite_master').get();
    }
  } catch (fault) {
    close();
    throw fault;
  }
  return {
    copy: async (file, to) => {
      const database = held.get(file);
      if (database === undefined) throw new TypeError(`${file} is not held`);
      await backup(database, to, { rate: PAGES_AT_ONCE });
    },
    close,
  };
}
