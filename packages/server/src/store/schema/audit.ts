import { sql, type Kysely, type Selectable } from 'kysely';
import type { AuditKind } from '@srup/protocol';
import type { Migrations } from './steps.ts';
import { waysOf } from '../ways.ts';
import { key, needed } from './columns.ts';

/**
 * An entry of the audit trail. The table is append-only: `hash` covers the whole entry (`contentHash`) and all entries
 * before it. Hashes are lower-case hex. A text that an entry does not have is empty.
 */
export interface AuditTable {
  seq: number;
  at: number;
  kind: AuditKind;
  device: string;
  evidence: string;
  body: string;
  hash: string;
}

/** Signatures over the entries up to `seq`. */
export interface AuditCheckpointsTable {
  seq: number;
  at: number;
  text: string;
  signature: string;
}

/** What each witness has. */
export interface AuditWitnessesTable {
  place: string;
  /** The last checkpoint that it took. */
  seq: number;
  taken_at: number | null;
  /** Why it took nothing the last time. */
  trouble: string | null;
  /** 1: the last start named it. */
  in_use: number;
}

export type AuditRow = Selectable<AuditTable>;
export type WitnessRow = Selectable<AuditWitnessesTable>;

export const auditSteps: Migrations = {
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
    .addColumn('seq', 'integer', key)
    .addColumn('at', 'integer', needed)
    .addColumn('kind', 'text', needed)
    .addColumn('device', 'text', needed)
    .addColumn('evidence', 'text', needed)
    .addColumn('body', 'text', needed)
    .addColumn('hash', 'text', needed)
    .execute();
  await sql`create index audit_by_device on audit (device, seq) where device <> ''`.execute(db);
  // Most entries are about messages, and are found by their device.
  await sql`create index audit_by_kind on audit (kind, seq) where kind not in ('message', 'messages')`.execute(
    db,
  );
  // Against mistakes of this program. Whoever has the file can drop a trigger; the hashes show what they change.
  for (const statement of waysOf(db.getExecutor()).appendOnly('audit')) await statement.execute(db);
}

async function createCheckpoints({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('audit_checkpoints')
    .addColumn('seq', 'integer', key)
    .addColumn('at', 'integer', needed)
    .addColumn('text', 'text', needed)
    .addColumn('signature', 'text', needed)
    .execute();
  await schema
    .createTable('audit_witnesses')
    .addColumn('place', 'text', key)
    .addColumn('seq', 'integer', needed)
    .execute();
}
