import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import { StoreError } from '../fault.ts';
import { createGroupCommit } from '../group-commit.ts';
import { migrate, refuseNewer, type Migrations } from '../migrate.ts';
import type { Read, Store } from '../port.ts';
import { sqliteDialect } from './dialect.ts';

/** Milliseconds that a write waits for another process's write (a backup, an inspection) before it fails. */
const BUSY_TIMEOUT_MS = 5_000;
/** Pages of 4 KiB that the log grows by before they are moved into the database. */
const CHECKPOINT_PAGES = 4_000;
/** KiB of the database that are held in memory. */
const CACHE_KIB = 16_384;

export interface SqliteOptions {
  /** How long a transaction took until it was on the disk, in milliseconds. */
  readonly onCommitted?: (ms: number) => void;
}

/**
 * Opens (or makes) a database in a file: WAL, so that readers never wait; full sync, so that what is committed survives
 * a power cut (P 5.3). Throws `StoreError` when the file was written by a newer version.
 */
export async function openSqlite<Tables>(
  file: string,
  migrations: Migrations,
  { onCommitted }: SqliteOptions = {},
): Promise<Store<Tables>> {
  // Private from its first byte on; SQLite gives its side files the same mode.
  closeSync(openSync(file, 'a', 0o600));
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: true, timeout: BUSY_TIMEOUT_MS });
  const kysely = new Kysely<Tables>({ dialect: sqliteDialect(database) });
  try {
    database.exec('pragma journal_mode = wal; pragma synchronous = full;');
    database.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}; pragma cache_size = -${CACHE_KIB};`);
    refuseNewer(appliedSteps(database), file, migrations);
    await migrate(kysely, file, migrations);
  } catch (fault) {
    await kysely.destroy();
    throw fault;
  }
  const group = createGroupCommit(kysely, onCommitted);
  return {
    read: kysely,
    commit: group.commit,
    listen: group.listen,
    close: async () => {
      await group.settle();
      await kysely.destroy();
    },
  };
}

/** A database that another process may be writing to, for reading only; its schema is taken as it is. */
export interface ReadOnly<Tables> {
  readonly read: Read<Tables>;
  close(): Promise<void>;
}

export function openSqliteReadOnly<Tables>(file: string): ReadOnly<Tables> {
  const database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  const kysely = new Kysely<Tables>({ dialect: sqliteDialect(database) });
  return { read: kysely, close: () => kysely.destroy() };
}

/** Checks a file that came from elsewhere. Throws `StoreError` when it is damaged or of a newer version. */
export function checkSqlite(file: string, migrations: Migrations): void {
  const database = new DatabaseSync(file);
  try {
    const found = database.prepare('pragma quick_check(1)').get() as { quick_check: string };
    if (found.quick_check !== 'ok') throw new StoreError(`The database is damaged: ${found.quick_check}.`);
    refuseNewer(appliedSteps(database), file, migrations);
  } finally {
    database.close();
  }
}

function appliedSteps(database: DatabaseSync): readonly string[] {
  const isUsed = database.prepare("select 1 from sqlite_master where name = 'kysely_migration'").get();
  if (isUsed === undefined) return [];
  const rows = database.prepare('select name from kysely_migration').all() as { name: string }[];
  return rows.map(({ name }) => name);
}
