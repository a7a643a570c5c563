import { keyServiceMigrations } from '../src/keyservice/tables.ts';
import { openStore } from '../src/store/open.ts';
import { coreMigrations } from '../src/store/schema/migrations.ts';
import { placeAt, SCHEMAS } from './postgres.ts';

/** Makes the tables of a server and its key service in an empty database of PostgreSQL. */
export async function migrateAt(url: string): Promise<void> {
  const parts = { [SCHEMAS.core]: coreMigrations, [SCHEMAS.keys]: keyServiceMigrations };
  for (const [schema, migrations] of Object.entries(parts)) {
    const store = await openStore({ kind: 'postgres', ...placeAt(url, schema) }, migrations);
    await store.close();
  }
}
