import { artifactMigrations } from './artifacts/tables.ts';
import { tokenMigrations } from './http/tokens.ts';
import { fleetMigrations } from './store/migrations.ts';
import type { Migrations } from './store/store.ts';

/** Of the core's database, which the parts of the server share. */
export const serverMigrations: Migrations = { ...fleetMigrations, ...artifactMigrations, ...tokenMigrations };
