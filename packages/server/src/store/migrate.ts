import type { Kysely } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import { StoreError } from './fault.ts';

/** Forward-only steps by name, applied in the order of their names. Each part of the server adds its own. */
export type Migrations = Readonly<Record<string, Migration>>;

/**
 * Brings a database up to date. `place` names it in messages. Throws `StoreError` when a newer version wrote it: an
 * older program would misread, and then spoil, what the newer one wrote.
 */
export async function migrate<Tables>(
  database: Kysely<Tables>,
  place: string,
  migrations: Migrations,
): Promise<void> {
  const migrator = new Migrator({
    db: database,
    provider: { getMigrations: async () => ({ ...migrations }) },
    // A part's second step comes after another part's first one, whatever their names.
    allowUnorderedMigrations: true,
  });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const why = error instanceof Error ? error.message : 'unknown reason';
  throw new StoreError(
    `The database ${place} could not be brought up to date: ${why}. Make room if the disk is full; else restore a backup, and report it.`,
    { cause: error },
  );
}

/** Throws `StoreError` when one of the applied steps is not one of ours. */
export function refuseNewer(applied: readonly string[], place: string, migrations: Migrations): void {
  const foreign = applied.find((name) => !Object.hasOwn(migrations, name));
  if (foreign === undefined) return;
  throw new StoreError(
    `The database ${place} was written by a newer version (step "${foreign}" is unknown here). ` +
      'Start the newer version, or restore a backup made by this one.',
  );
}
