import { sql, type Generated, type Kysely, type Selectable } from 'kysely';
import type { ServerExchange } from '@srup/protocol';
import type { Migrations } from './steps.ts';
import { counted, needed, ofDevice } from './columns.ts';

export interface ExchangesTable {
  id: Generated<number>;
  device: string;
  token: string;
  kind: ServerExchange['kind'];
  phase: string;
  is_open: number;
  /** The `ServerExchange` as JSON. */
  state: string;
  wake_at: number | null;
  opened_at: number;
  updated_at: number;
  /** The order that began it. Null: no order did, or an earlier release stored it. */
  order_id: Generated<string | null>;
}

export type ExchangeRow = Selectable<ExchangesTable>;

/** Conditions of partial indexes. A query uses such an index only if it contains the same condition. */
export const IS_OPEN = sql<boolean>`is_open = 1`;
export const IS_NO_DATA = sql<boolean>`kind <> 'data'`;

/** Part of the step `fleet-001`. */
export async function createExchanges(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema
    .createTable('exchanges')
    .addColumn('id', 'integer', counted)
    .addColumn('device', 'text', ofDevice)
    .addColumn('token', 'text', needed)
    .addColumn('kind', 'text', needed)
    .addColumn('phase', 'text', needed)
    .addColumn('is_open', 'integer', needed)
    .addColumn('state', 'text', needed)
    .addColumn('wake_at', 'integer')
    .addColumn('opened_at', 'integer', needed)
    .addColumn('updated_at', 'integer', needed)
    // Tokens grow with time: new ones lie together, whatever their devices.
    .addUniqueConstraint('one_exchange_a_token', ['token', 'device'])
    .execute();
  await sql`create index exchanges_by_wake on exchanges (wake_at) where wake_at is not null`.execute(db);
  // Most exchanges are telemetry. Such an exchange is over when it begins, and is listed by its device: none of these
  // indexes holds it.
  await sql`create index exchanges_open on exchanges (device) where ${IS_OPEN}`.execute(db);
  await sql`create index exchanges_by_kind on exchanges (kind, is_open, id) where ${IS_NO_DATA}`.execute(db);
  await schema.createIndex('exchanges_by_device').on('exchanges').columns(['device', 'id']).execute();
}

export const exchangeSteps: Migrations = {
  'fleet-orders-001': {
    async up(db) {
      await db.schema.alterTable('exchanges').addColumn('order_id', 'text').execute();
      await sql`create index exchanges_by_order on exchanges (order_id) where order_id is not null`.execute(
        db,
      );
    },
  },
};
