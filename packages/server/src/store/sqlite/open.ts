import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import { sqliteDialect } from './dialect.ts';

/** Milliseconds that a write waits for another process's write (a backup, an inspection) before it fails. */
const BUSY_TIMEOUT_MS = 5_000;

/** The database can't be used. The message says why, then what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}

/** Pages of 4 KiB that the log grows by before they are moved into the database. */
const CHECKPOINT_PAGES = 4_000;
/** KiB of the database that are held in memory. */
const CACHE_KIB = 16_384;

/** Forward-only steps by name, applied in the order of their names. Each part of the server adds its own. */
export type Migrations = Readonly<Record<string, Migration>>;

/**
 * Opens (or makes) a database: WAL, so that readers never wait; full sync, so that what is committed survives a
 * power cut (P 5.3). Throws `StoreError` when the file was written by a newer version.
 */
export async function openStore<Tables>(file: string, migrations: Migrations): Promise<Kysely<Tables>> {
  // Private from its first byte on; SQLite gives its side files the same mode.
  closeSync(openSync(file, 'a', 0o600));
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: true, timeout: BUSY_TIMEOUT_MS });
  const store = new Kysely<Tables>({ dialect: sqliteDialect(database) });
  try {
    database.exec('pragma journal_mode = wal; pragma synchronous = full;');
    database.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}; pragma cache_size = -${CACHE_KIB};`);
    refuseNewer(database, file, migrations);
    await migrate(store, file, migrations);
  } catch (fault) {
    await store.destroy();
    throw fault;
  }
  return store;
}

/** An older program would misread, and then spoil, what a newer one wrote. */
export function refuseNewer(database: DatabaseSync, file: string, migrations: Migrations): void {
  const isUsed = database.prepare("select 1 from sqlite_master where name = 'kysely_migration'").get();
  if (isUsed === undefined) return;
  const applied = database.prepare('select name from kysely_migration').all() as { name: string }[];
  const foreign = applied.find(({ name }) => !Object.hasOwn(migrations, name));
  if (foreign === undefined) return;
  throw new StoreError(
    `The database ${file} was written by a newer version (step "${foreign.name}" is unknown here). ` +
      'Start the newer version, or restore a backup made by this one.',
  );
}

async function migrate<Tables>(store: Kysely<Tables>, file: string, migrations: Migrations): Promise<void> {
  const migrator = new Migrator({
    db: store,
    provider: { getMigrations: async () => ({ ...migrations }) },
    // A part's second step comes after another part's first one, whatever their names.
    allowUnorderedMigrations: true,
  });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const why = error instanceof Error ? error.message : 'unknown reason';
  throw new StoreError(
    `The database ${file} could not be brought up to date: ${why}. Make room if the disk is full; else restore a backup, and report it.`,
    { cause: error },
  );
}
