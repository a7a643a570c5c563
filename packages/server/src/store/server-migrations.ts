import { artifactMigrations } from '../artifacts/tables.ts';
import { tokenMigrations } from '../access/tokens.ts';
import { fleetMigrations } from './migrations.ts';
import type { Migrations } from './migrate.ts';

/** Of the core's database, which the parts of the server share. */
export const serverMigrations: Migrations = { ...fleetMigrations, ...artifactMigrations, ...tokenMigrations };
