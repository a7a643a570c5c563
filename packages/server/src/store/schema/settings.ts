import type { Generated, Kysely } from 'kysely';
import { counted, key, needed } from './columns.ts';

/** What happened, for those who watch. A ring: the oldest rows go. */
export interface EventsTable {
  seq: Generated<number>;
  at: number;
  event: string;
}

/** Single facts about this server, by name. */
export interface SettingsTable {
  name: string;
  value: string;
}

/** Part of the step `fleet-001`. */
export async function createEvents({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('events')
    .addColumn('seq', 'integer', counted)
    .addColumn('at', 'integer', needed)
    .addColumn('event', 'text', needed)
    .execute();
}

/** Part of the step `fleet-001`. */
export async function createSettings({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('settings')
    .addColumn('name', 'text', key)
    .addColumn('value', 'text', needed)
    .execute();
}
