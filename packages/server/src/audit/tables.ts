import { sql, type Kysely } from 'kysely';
import type { AuditKind } from '@srup/protocol';
import type { Migrations } from '../store/migrate.ts';

/** The audit trail. Times are ms since 1970, hashes lower-case hex; texts that an entry does not have are empty. */
export interface AuditTables {
  /** Append-only, and hashed as a whole (`contentHash`). */
  audit: {
    seq: number;
    at: number;
    kind: AuditKind;
    device: string;
    evidence: string;
    body: string;
    hash: string;
  };
  /** Of entries up to `seq`. */
  audit_checkpoints: { seq: number; at: number; text: string; signature: string };
  /**
   * What each witness has: `seq` of the last checkpoint that it took, and when. `trouble`: why it took nothing the last
   * time. `in_use`: 1 when the last start named it.
   */
  audit_witnesses: {
    place: string;
    seq: number;
    taken_at: number | null;
    trouble: string | null;
    in_use: number;
  };
}

export type AuditRow = AuditTables['audit'];

export const auditMigrations: Migrations = {
  'audit-001': {
    async up(db: Kysely<unknown>) {
      await createAudit(db);
      await createCheckpoints(db);
    },
  },
  'audit-002': {
    async up({ schema }: Kysely<unknown>) {
      const witnesses = schema.alterTable('audit_witnesses');
      await witnesses.addColumn('taken_at', 'integer').execute();
      await witnesses.addColumn('trouble', 'text').execute();
      await witnesses.addColumn('in_use', 'integer', (column) => column.notNull().defaultTo(0)).execute();
    },
  },
};

async function createAudit(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('audit')
    .addColumn('seq', 'integer', (column) => column.primaryKey())
    .addColumn('at', 'integer', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('device', 'text', (column) => column.notNull())
    .addColumn('evidence', 'text', (column) => column.notNull())
    .addColumn('body', 'text', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .execute();
  await sql`create index audit_by_device on audit (device, seq) where device <> ''`.execute(db);
  // Messages are most of it, and found by their device.
  await sql`create index audit_by_kind on audit (kind, seq) where kind not in ('message', 'messages')`.execute(
    db,
  );
  // Against mistakes of this program; who has the file can take a trigger away, and is found out by the hashes.
  for (const change of ['update', 'delete']) {
    await sql`create trigger ${sql.ref(`audit_no_${change}`)} before ${sql.raw(change)} on audit
      begin select raise(abort, 'the audit trail is append-only'); end`.execute(db);
  }
}

async function createCheckpoints({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('audit_checkpoints')
    .addColumn('seq', 'integer', (column) => column.primaryKey())
    .addColumn('at', 'integer', (column) => column.notNull())
    .addColumn('text', 'text', (column) => column.notNull())
    .addColumn('signature', 'text', (column) => column.notNull())
    .execute();
  await schema
    .createTable('audit_witnesses')
    .addColumn('place', 'text', (column) => column.primaryKey())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .execute();
}
