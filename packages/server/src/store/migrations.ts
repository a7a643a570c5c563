import { sql, type ColumnDefinitionBuilder, type Kysely } from 'kysely';
import { auditMigrations } from '../audit/tables.ts';
import { storeDraftsAsDrafts } from './drafts.ts';
import type { Migrations } from './migrate.ts';

/** The C2 core's tables (tables.ts). Forward only: a released step is never edited, a new one is added. */
export const fleetMigrations: Migrations = {
  'fleet-001': {
    async up(db: Kysely<unknown>) {
      await createDevices(db);
      await createConversations(db);
      await createEvidence(db);
      await createJoinDesk(db);
    },
  },
  ...auditMigrations,
  'fleet-audit-001': {
    async up(db: Kysely<unknown>) {
      // What was stored before there was a trail waits for no entry; `begin` says up to where that is.
      await sql`alter table messages add column is_chained integer not null default 1`.execute(db);
      await sql`create index messages_unchained on messages (device, id) where ${IS_UNCHAINED}`.execute(db);
    },
  },
  'fleet-software-001': { up: createSoftware },
  'fleet-errands-001': { up: createErrands },
  'fleet-orders-001': { up: addOrders },
  'fleet-drafts-001': { up: storeDraftsAsDrafts },
};

/** Conditions of partial indexes: a query that wants one has to say the same words. */
export const IS_OPEN = sql<boolean>`is_open = 1`;
export const IS_NO_DATA = sql<boolean>`kind <> 'data'`;
export const IS_UNCHAINED = sql<boolean>`is_chained = 0`;

type Column = (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder;
const key: Column = (column) => column.primaryKey();
const counted: Column = (column) => column.primaryKey().autoIncrement();
const needed: Column = (column) => column.notNull();
const ofDevice: Column = (column) => column.notNull().references('devices.id');

async function createDevices(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema
    .createTable('devices')
    .addColumn('id', 'text', key)
    .addColumn('name', 'text')
    .addColumn('type', 'text', needed)
    .addColumn('suite', 'text', needed)
    .addColumn('public_pem', 'text', needed)
    .addColumn('seal_pem', 'text')
    .addColumn('standing', 'text', needed)
    .addColumn('confirms', 'integer', needed)
    .addColumn('identification', 'text')
    .addColumn('running_digest', 'text')
    .addColumn('running_at', 'integer')
    .addColumn('running_token', 'text')
    .addColumn('running_ordered_at', 'integer')
    .addColumn('staged_digest', 'text')
    .addColumn('staged_at', 'integer')
    .addColumn('staged_token', 'text')
    .addColumn('first_seen_at', 'integer', needed)
    .addColumn('revoke_at', 'integer')
    .execute();
  await schema.createIndex('devices_by_standing').on('devices').columns(['standing', 'id']).execute();
  await sql`create index devices_by_revocation on devices (revoke_at) where revoke_at is not null`.execute(
    db,
  );
  await schema
    .createTable('peers')
    .addColumn('device', 'text', (column) => column.primaryKey().references('devices.id'))
    .addColumn('sent', 'text', needed)
    .addColumn('highest', 'text', needed)
    .addColumn('seen', 'text', needed)
    .addColumn('proven_at', 'integer')
    .execute();
}

async function createConversations(db: Kysely<unknown>): Promise<void> {
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
  // Telemetry, most of all exchanges, is over when it begins and listed by its device: it costs none of these.
  await sql`create index exchanges_open on exchanges (device) where ${IS_OPEN}`.execute(db);
  await sql`create index exchanges_by_kind on exchanges (kind, is_open, id) where ${IS_NO_DATA}`.execute(db);
  await schema.createIndex('exchanges_by_device').on('exchanges').columns(['device', 'id']).execute();
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

async function createEvidence({ schema }: Kysely<unknown>): Promise<void> {
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
  await schema
    .createTable('events')
    .addColumn('seq', 'integer', counted)
    .addColumn('at', 'integer', needed)
    .addColumn('event', 'text', needed)
    .execute();
}

async function createSoftware(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('software')
    .addColumn('id', 'integer', counted)
    .addColumn('device', 'text', ofDevice)
    .addColumn('digest', 'text', needed)
    .addColumn('token', 'text', needed)
    .addColumn('at', 'integer', needed)
    .addColumn('is_undone', 'integer', needed)
    .execute();
  await db.schema.createIndex('software_by_device').on('software').columns(['device', 'id']).execute();
  await sql`insert into software (device, digest, token, at, is_undone)
    select id, running_digest, running_token, running_at, 0 from devices where running_digest is not null`.execute(
    db,
  );
}

async function createJoinDesk(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema
    .createTable('join_policies')
    .addColumn('type', 'text', key)
    .addColumn('verdict', 'text', needed)
    .execute();
  // Until its owner says otherwise, a server asks about every device.
  await sql`insert into join_policies (type, verdict) values ('*', 'ask')`.execute(db);
  await schema
    .createTable('join_decisions')
    .addColumn('id', 'integer', counted)
    .addColumn('device', 'text', ofDevice)
    .addColumn('token', 'text', needed)
    .addColumn('at', 'integer', needed)
    .addColumn('verdict', 'text', needed)
    .addColumn('decided_by', 'text', needed)
    .execute();
  await schema
    .createIndex('join_decisions_by_device')
    .on('join_decisions')
    .columns(['device', 'id'])
    .execute();
  await schema
    .createTable('settings')
    .addColumn('name', 'text', key)
    .addColumn('value', 'text', needed)
    .execute();
}

async function createErrands(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('errands')
    .addColumn('id', 'integer', counted)
    .addColumn('owner', 'text', needed)
    .addColumn('kind', 'text', needed)
    .addColumn('body', 'text', needed)
    .addColumn('after', 'integer', needed)
    .addColumn('created_at', 'integer', needed)
    .execute();
  await db.schema.createIndex('errands_by_time').on('errands').column('after').execute();
  await db.schema.createIndex('errands_by_owner').on('errands').columns(['owner', 'id']).execute();
  // The end of an identity was a time in the row of its device.
  await sql`insert into errands (owner, kind, body, after, created_at)
    select 'device/' || id, 'end-identity', '{}', revoke_at, revoke_at from devices where revoke_at is not null`.execute(
    db,
  );
  await db.schema.dropIndex('devices_by_revocation').execute();
  await db.schema.alterTable('devices').dropColumn('revoke_at').execute();
}

async function addOrders(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('exchanges').addColumn('order_id', 'text').execute();
  await sql`create index exchanges_by_order on exchanges (order_id) where order_id is not null`.execute(db);
}
