import type { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { StoreError } from './fault.ts';
import type { Migrations } from './schema/steps.ts';

/**
 * Brings a database up to date. Throws `StoreError` when a step fails; then nothing of that step is left.
 * @param place names the database in messages
 * @param schema where the tables are, in a database that has schemas
 */
export async function migrate<Tables>(
  database: Kysely<Tables>,
  place: string,
  migrations: Migrations,
  schema?: string,
): Promise<void> {
  const migrator = new Migrator({
    db: database,
    provider: { getMigrations: async () => ({ ...migrations }) },
    // A later release adds steps whose names come before those that are applied already.
    allowUnorderedMigrations: true,
    ...(schema !== undefined && { migrationTableSchema: schema }),
  });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const why = error instanceof Error ? error.message : 'unknown reason';
  throw new StoreError(
    `The database ${place} could not be brought up to date: ${why}. Make room if the disk is full; else restore a backup, and report it.`,
    { cause: error },
  );
}

/**
 * Throws `StoreError` when one of the applied steps is unknown here, so that a newer version wrote the database: an
 * older program would misread, and then spoil, what the newer one wrote.
 */
export function refuseNewer(applied: readonly string[], place: string, migrations: Migrations): void {
  const foreign = applied.find((name) => !Object.hasOwn(migrations, name));
  if (foreign === undefined) return;
  throw new StoreError(
    `The database ${place} was written by a newer version (step "${foreign}" is unknown here). ` +
      'Start the newer version, or restore a backup made by this one.',
  );
}
