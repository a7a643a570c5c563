/** Copies of databases while others write to them, all of them as they were at one time. */
import { backup, DatabaseSync } from 'node:sqlite';

/** Pages copied at a time; in between the process does other things. */
const PAGES_AT_ONCE = 2_000;
/** Milliseconds that are waited for another process that writes. */
const BUSY_TIMEOUT_MS = 10_000;

export interface Snapshots {
  /** Writes the copy of one database to a new file. */
  copy(file: string, to: string): Promise<void>;
  close(): void;
}

/**
 * Holds the state of each database as it is now; the order is the one given, a moment apart. What others commit
 * afterwards is not in the copies, and they need not wait for them (WAL).
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
