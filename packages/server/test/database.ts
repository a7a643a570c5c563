/**
 * The database of a test: SQLite, or PostgreSQL in the project of vitest.config.ts that runs the same tests on it. Here
 * alone is decided which.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { postgresFor } from '../../../test/support/postgres-for.ts';
import type { ServerOptions } from '../src/options.ts';
import { openStore as open, type StorePlace } from '../src/store/open.ts';
import type { Read, Store, StoreOptions } from '../src/store/port.ts';
import { PostgresWays } from '../src/store/postgres/adapter.ts';
import type { PostgresStorePlace } from '../src/store/postgres/place.ts';
import { urlOf } from '../src/store/postgres/place.ts';
import { clientConfig } from '../src/store/postgres/session.ts';
import { TIMES } from '../src/store/postgres/times.ts';
import type { Migrations } from '../src/store/schema/steps.ts';
import { placeAt, SCHEMAS } from './postgres.ts';

/** The databases on which the tests of this run are tested. */
export const databaseKind = (): StorePlace['kind'] =>
  process.env['SRUP_TEST_DATABASE'] === 'postgres' ? 'postgres' : 'sqlite';

/**
 * An empty database of a test's own. `later` takes what removes it, once nothing uses it.
 * @param folder for a database that is a file
 * @param whose of the C2 core, or of the key service
 *
 * @example
 * const store = await openStore<CoreTables>(await placeFor(folder, onTestFinished), coreMigrations);
 */
export async function placeFor(
  folder: string,
  later: (remove: () => Promise<void>) => unknown,
  whose: keyof typeof SCHEMAS = 'core',
): Promise<StorePlace> {
  if (databaseKind() === 'sqlite') return { kind: 'sqlite', file: join(folder, 'server.db') };
  return { kind: 'postgres', ...placeAt(await postgresFor(later, 'migrated'), SCHEMAS[whose]) };
}

/** What a server that starts on this database is told. A folder's own files are where it looks by itself. */
export function toldOf(place: StorePlace): Pick<ServerOptions, 'database' | 'databasePassword'> {
  if (place.kind === 'sqlite') return {};
  const { password } = place;
  return { database: { url: urlOf(place) }, ...(password && { databasePassword: password }) };
}

/** A place as text, for a process of a test; it holds the password. */
export function packPlace(place: StorePlace): string {
  if (place.kind === 'sqlite') return place.file;
  const url = new URL(urlOf(place));
  url.password = place.password?.reveal() ?? '';
  return url.href;
}

export function unpackPlace(text: string): StorePlace {
  return text.startsWith('/') ? { kind: 'sqlite', file: text } : { kind: 'postgres', ...placeAt(text) };
}

/** What `behind` gives for a database that can only be read by those who read it. */
const writers = new WeakMap<object, () => Kysely<never>>();

/** Like that of the server; and a test gets `behind` the store. */
export async function openStore<Tables>(
  place: StorePlace,
  migrations: Migrations,
  options: StoreOptions = {},
): Promise<Store<Tables>> {
  const store = await open<Tables>(place, migrations, options);
  if (place.kind === 'sqlite') return store;
  let writer: Kysely<never> | undefined;
  writers.set(store.read, () => (writer ??= writerAt(place)));
  return {
    ...store,
    close: async () => {
      await writer?.destroy();
      await store.close();
    },
  };
}

/** All that the database holds, or keeps on its disk, as text: letters as they are, and bytes raw or in hex. */
export async function everythingIn(place: StorePlace): Promise<string> {
  if (place.kind === 'sqlite') {
    const files = [place.file, `${place.file}-wal`].filter((file) => existsSync(file));
    return (await Promise.all(files.map((file) => readFile(file, 'latin1')))).join('');
  }
  const writer = writerAt<Record<string, object>>(place);
  try {
    const tables = await sql<{ name: string }>`select tablename as name from pg_tables
      where schemaname = current_schema()`.execute(writer);
    const rows = tables.rows.map(({ name }) =>
      sql<{ row: string }>`select everything::text as row from ${sql.table(name)} as everything`.execute(
        writer,
      ),
    );
    return (await Promise.all(rows)).flatMap((of) => of.rows.map(({ row }) => row)).join('\n');
  } finally {
    await writer.destroy();
  }
}

/** The database behind the port: a test breaks it, fills it, or writes what no part of the server would write. */
export function behind<Tables>({ read }: { readonly read: Read<Tables> }): Kysely<Tables> {
  return (writers.get(read)?.() ?? read) as Kysely<Tables>;
}

/** Kysely's own driver: what a test writes is no business of the server's. */
class WritingDialect extends PostgresDialect {
  override createAdapter(): PostgresWays {
    return new PostgresWays();
  }
}

function writerAt<Tables = never>(place: PostgresStorePlace): Kysely<Tables> {
  const { schema } = place;
  const pool = new pg.Pool({
    ...clientConfig(place, { schema, name: 'a test', times: TIMES }, () => undefined),
    ...{ max: 1, pipeline: false },
  });
  pool.on('error', () => undefined);
  return new Kysely({ dialect: new WritingDialect({ pool }) });
}
