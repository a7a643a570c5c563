import { sql, type Generated, type Insertable, type Kysely, type Selectable } from 'kysely';
import type { FaultCode } from '@srup/protocol';
import type { Migrations } from './steps.ts';
import { counted, key, needed, ofDevice } from './columns.ts';

/** Evidence: messages that were accepted or sent. */
export interface MessagesTable {
  id: Generated<number>;
  at: number;
  device: string;
  direction: 'in' | 'out';
  type: string;
  sequence: string;
  token: string;
  bytes: Uint8Array;
  /** 1: an entry of the audit trail tells of it. */
  is_chained: Generated<number>;
}

export interface RefusalsTable {
  id: Generated<number>;
  at: number;
  code: FaultCode;
  claimed_sender: string | null;
  topic: string;
  type: string | null;
}

export interface RefusalCountsTable {
  code: FaultCode;
  count: number;
}

/** What devices reported. */
export interface DataTable {
  id: Generated<number>;
  at: number;
  device: string;
  data_id: string;
  bytes: Uint8Array;
}

export type MessageRow = Selectable<MessagesTable>;
export type RefusalRow = Selectable<RefusalsTable>;
export type DataRow = Selectable<DataTable>;
export type NewMessage = Omit<Insertable<MessagesTable>, 'is_chained'>;
export type NewRefusal = Insertable<RefusalsTable>;

/** The condition of a partial index. A query uses the index only if it contains the same condition. */
export const IS_UNCHAINED = sql<boolean>`is_chained = 0`;

/** Part of the step `fleet-001`. */
export async function createEvidence({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('messages')
    .addColumn('id', 'integer', counted)
    .addColumn('at', 'integer', needed)
    .addColumn('device', 'text', needed)
    .addColumn('direction', 'text', needed)
    .addColumn('type', 'text', needed)
    .addColumn('sequence', 'text', needed)
    .addColumn('token', 'text', needed)
    .addColumn('bytes', 'blob', needed)
    .execute();
  await schema.createIndex('messages_by_device').on('messages').columns(['device', 'id']).execute();
  await schema
    .createTable('refusals')
    .addColumn('id', 'integer', counted)
    .addColumn('at', 'integer', needed)
    .addColumn('code', 'text', needed)
    .addColumn('claimed_sender', 'text')
    .addColumn('topic', 'text', needed)
    .addColumn('type', 'text')
    .execute();
  await schema
    .createTable('refusal_counts')
    .addColumn('code', 'text', key)
    .addColumn('count', 'integer', needed)
    .execute();
  await schema
    .createTable('data')
    .addColumn('id', 'integer', counted)
    .addColumn('at', 'integer', needed)
    .addColumn('device', 'text', ofDevice)
    .addColumn('data_id', 'text', needed)
    .addColumn('bytes', 'blob', needed)
    .execute();
  await schema.createIndex('data_by_device').on('data').columns(['device', 'id']).execute();
}

export const messageSteps: Migrations = {
  'fleet-audit-001': {
    async up(db) {
      // Messages that were stored before there was a trail wait for no entry; the entry `begin` names the last of them.
      await sql`alter table messages add column is_chained integer not null default 1`.execute(db);
      await sql`create index messages_unchained on messages (device, id) where ${IS_UNCHAINED}`.execute(db);
    },
  },
};
