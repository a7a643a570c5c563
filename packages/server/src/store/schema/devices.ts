import { sql, type Kysely, type Selectable } from 'kysely';
import type { Standing, SuiteName } from '@srup/protocol';
import { key, needed } from './columns.ts';

/** What is known of a device. It changes rarely. */
export interface DevicesTable {
  id: string;
  name: string | null;
  type: string;
  suite: SuiteName;
  public_pem: string;
  seal_pem: string | null;
  standing: Standing;
  confirms: number;
  identification: string | null;
  running_digest: string | null;
  running_at: number | null;
  running_token: string | null;
  /** When the ACTIVATE that the proof answers was ordered: a later answer to an earlier order proves nothing new. */
  running_ordered_at: number | null;
  staged_digest: string | null;
  staged_at: number | null;
  staged_token: string | null;
  first_seen_at: number;
}

/** What changes with every message of a device (P 5). */
export interface PeersTable {
  device: string;
  sent: string;
  highest: string;
  seen: string;
  proven_at: number | null;
}

export type DeviceRow = Selectable<DevicesTable>;
export type PeerRow = Selectable<PeersTable>;

/** Part of the step `fleet-001`. */
export async function createDevices(db: Kysely<unknown>): Promise<void> {
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
