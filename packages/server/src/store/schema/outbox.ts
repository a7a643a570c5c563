import type { Generated, Kysely, Selectable } from 'kysely';
import { counted, needed, ofDevice } from './columns.ts';
import { storeDraftsAsDrafts } from './drafts.ts';
import type { Migrations } from './steps.ts';

/** Messages that are owed to the broker. */
export interface OutboxTable {
  id: Generated<number>;
  device: string;
  sequence: string;
  /** The signed bytes; until `is_signed` the draft, in the form of `writeDraft`. */
  message: Uint8Array;
  is_signed: number;
  created_at: number;
}

export type OutboxRow = Selectable<OutboxTable>;

/** Part of the step `fleet-001`. */
export async function createOutbox({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('outbox')
    .addColumn('id', 'integer', counted)
    .addColumn('device', 'text', ofDevice)
    .addColumn('sequence', 'text', needed)
    .addColumn('message', 'blob', needed)
    .addColumn('is_signed', 'integer', needed)
    .addColumn('created_at', 'integer', needed)
    .execute();
  await schema.createIndex('outbox_by_device').on('outbox').columns(['device', 'id']).execute();
}

export const outboxSteps: Migrations = { 'fleet-outbox-001': { up: storeDraftsAsDrafts } };
