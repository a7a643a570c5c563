import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import { COPY_TABLE, refuseCopied, SELECT_COPY_NOTE } from '../copied.ts';
import { StoreError } from '../fault.ts';
import { createGroupCommit } from '../group-commit.ts';
import { migrate, refuseNewer } from '../migrate.ts';
import type { Migrations } from '../schema/steps.ts';
import type { ReadOnly, Store, StoreOptions } from '../port.ts';
import { createTransact } from '../transact.ts';
import { sqliteDialect, SqliteDriver } from './dialect.ts';

/** Milliseconds that a write waits for the write of another process before it fails. */
const BUSY_TIMEOUT_MS = 5_000;
/** The log is moved into the database when it has grown by this many pages of 4 KiB. */
const CHECKPOINT_PAGES = 4_000;
/** KiB of the database that stay in memory. */
const CACHE_KIB = 16_384;

/**
 * Opens a database in a file, makes it if there is none, and brings it up to date. WAL: readers never wait. Full sync:
 * what is committed survives a power cut (P 5.3). Rejects with `StoreError` when a newer version wrote the file.
 *
 * @example
 * const store = await openSqlite<CoreTables>('fleet.db', coreMigrations);
 */
export async function openSqlite<Tables>(
  file: string,
  migrations: Migrations,
  options: StoreOptions = {},
): Promise<Store<Tables>> {
  // Private from its first byte on; SQLite gives its side files the same mode.
  closeSync(openSync(file, 'a', 0o600));
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: true, timeout: BUSY_TIMEOUT_MS });
  const driver = new SqliteDriver(database);
  const dialect = sqliteDialect(driver);
  const kysely = new Kysely<Tables>({ dialect });
  try {
    database.exec('pragma journal_mode = wal; pragma synchronous = full;');
    database.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}; pragma cache_size = -${CACHE_KIB};`);
    if (options.isForCopy !== true) refuseCopied(copyNoteIn(database), file);
    refuseNewer(appliedSteps(database), file, migrations);
    await migrate(kysely, file, migrations);
  } catch (fault) {
    await kysely.destroy();
    throw fault;
  }
  const group = createGroupCommit(createTransact({ kysely, dialect, driver }), options);
  return {
    read: kysely,
    add: group.add,
    commit: group.commit,
    listen: group.listen,
    close: async () => {
      await group.settle();
      await kysely.destroy();
    },
  };
}

/** What a copy left in the file of a database, as `refuseCopied` takes it. */
export function copyNoteOf(file: string): string | undefined {
  return reading(file, copyNoteIn);
}

/** Opens a database for reading only. Its schema stays as it is, so it may be of an earlier version. */
export function openSqliteReadOnly<Tables>(file: string): ReadOnly<Tables> {
  const database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  const kysely = new Kysely<Tables>({ dialect: sqliteDialect(new SqliteDriver(database)) });
  return { read: kysely, close: () => kysely.destroy() };
}

/**
 * What is wrong with the file of a database, in SQLite's words; undefined when it is whole. A server can be using it.
 *
 * @example
 * findDamage('/var/lib/srup/server/fleet.db'); // undefined
 */
export function findDamage(file: string): string | undefined {
  return reading(file, damageOf);
}

/**
 * Checks a file that came from elsewhere. Throws `StoreError` when a newer version wrote it, or when it is damaged. The
 * version comes first: it is read at once, and the search for damage reads the whole file.
 */
export function checkSqlite(file: string, migrations: Migrations): void {
  const damage = reading(file, (database) => {
    try {
      refuseNewer(appliedSteps(database), file, migrations);
      return damageOf(database);
    } catch (fault) {
      if (fault instanceof StoreError) throw fault;
      return (fault as Error).message; // damage can keep SQLite from reading the version, or anything
    }
  });
  if (damage !== undefined) throw new StoreError(`The database is damaged: ${damage}.`);
}

function reading<Found>(file: string, read: (database: DatabaseSync) => Found): Found {
  const database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    return read(database);
  } finally {
    database.close();
  }
}

function damageOf(database: DatabaseSync): string | undefined {
  const { quick_check: found } = database.prepare('pragma quick_check(1)').get() as { quick_check: string };
  return found === 'ok' ? undefined : found;
}

function copyNoteIn(database: DatabaseSync): string | undefined {
  if (!holdsTable(database, COPY_TABLE)) return undefined;
  const row = database.prepare(SELECT_COPY_NOTE).get() as { note: string } | undefined;
  return row?.note;
}

function holdsTable(database: DatabaseSync, name: string): boolean {
  return database.prepare('select 1 from sqlite_master where name = ?').get(name) !== undefined;
}

function appliedSteps(database: DatabaseSync): readonly string[] {
  if (!holdsTable(database, 'kysely_migration')) return [];
  const rows = database.prepare('select name from kysely_migration').all() as { name: string }[];
  return rows.map(({ name }) => name);
}
