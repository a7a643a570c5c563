/** Opens a database, wherever it is. */
import type { ReadOnly, Store, StoreOptions } from './port.ts';
import { openPostgres, openPostgresReadOnly } from './postgres/open.ts';
import type { PostgresStorePlace } from './postgres/place.ts';
import { urlOf } from './postgres/place.ts';
import type { Migrations } from './schema/steps.ts';
import { openSqlite, openSqliteReadOnly } from './sqlite/open.ts';

/** A file of SQLite, or a schema in a database of PostgreSQL. */
export type StorePlace =
  { readonly kind: 'sqlite'; readonly file: string } | ({ readonly kind: 'postgres' } & PostgresStorePlace);

/**
 * Opens a database for one server alone, makes the tables if there are none, and brings them up to date. Rejects with
 * `StoreError` for what a person must mend.
 *
 * @example
 * const store = await openStore<CoreTables>({ kind: 'sqlite', file: 'fleet.db' }, coreMigrations);
 */
export function openStore<Tables>(
  place: StorePlace,
  migrations: Migrations,
  options: StoreOptions = {},
): Promise<Store<Tables>> {
  return place.kind === 'sqlite'
    ? openSqlite(place.file, migrations, options)
    : openPostgres(place, migrations, options);
}

/** Opens a database for reading only; a server may be using it. Its schema may be of an earlier version. */
export function openReadOnly<Tables>(place: StorePlace): ReadOnly<Tables> {
  return place.kind === 'sqlite' ? openSqliteReadOnly(place.file) : openPostgresReadOnly(place);
}

/** Names a place for people. */
export function shownPlace(place: StorePlace): string {
  return place.kind === 'sqlite' ? place.file : urlOf(place);
}
