import type { SuiteName } from '@srup/protocol';
import type { EnrolmentState } from '../peers/directory.ts';
import type { Generated, Kysely } from 'kysely';
import type { Migrations } from '../store/schema/steps.ts';

/** The key service's own database: a trust role apart from the C2 core. Times are ms since 1970. */
export interface KeyServiceTables {
  /** Rows are never deleted, so that no id is used twice (P 8.5). */
  identities: {
    id: string;
    type: string;
    suite: SuiteName;
    /** Emptied when a registration was not finished in time: a flood of them leaves little behind. */
    public_pem: string;
    seal_pem: string | null;
    state: EnrolmentState;
    registered_at: number;
    /** When the registration expires, if the identity is not certified by then; null once it is. */
    expires_at: number | null;
  };
  certificates: {
    serial: string;
    identity: string;
    issued_at: number;
    not_after: number;
    revoked_at: number | null;
  };
  enrolment_codes: {
    id: string;
    /** SHA-256 of the code, in hex. */
    hash: string;
    /** Null for any type. */
    type: string | null;
    uses_left: number;
    expires_at: number | null;
    created_at: number;
  };
  /** Revoked certificates that were issued after the backup that this service was restored from (`srup restore --crl`). */
  foreign_revocations: { serial: string; revoked_at: number; not_after: number };
  /** Events for the audit trail, which is in the database of the C2 core; a row is deleted once the trail has it. */
  audit_events: { id: Generated<number>; at: number; event: string };
  settings: {
    name: 'registration';
    value: string;
  };
}

export type IdentityRow = KeyServiceTables['identities'];

/** Migrations go forward only: a released step is never edited, a new one is added. */
export const keyServiceMigrations: Migrations = {
  'keyservice-001': {
    async up(db: Kysely<unknown>) {
      await createIdentities(db);
      await createRest(db);
    },
  },
  'keyservice-audit-001': {
    async up({ schema }: Kysely<unknown>) {
      await schema
        .createTable('audit_events')
        .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
        .addColumn('at', 'integer', (column) => column.notNull())
        .addColumn('event', 'text', (column) => column.notNull())
        .execute();
    },
  },
  'keyservice-restore-001': {
    async up({ schema }: Kysely<unknown>) {
      await schema
        .createTable('foreign_revocations')
        .addColumn('serial', 'text', (column) => column.primaryKey())
        .addColumn('revoked_at', 'integer', (column) => column.notNull())
        .addColumn('not_after', 'integer', (column) => column.notNull())
        .execute();
    },
  },
};

async function createIdentities({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('identities')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('type', 'text', (column) => column.notNull())
    .addColumn('suite', 'text', (column) => column.notNull())
    .addColumn('public_pem', 'text', (column) => column.notNull())
    .addColumn('seal_pem', 'text')
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('registered_at', 'integer', (column) => column.notNull())
    .addColumn('expires_at', 'integer')
    .execute();
  await schema.createIndex('identities_by_expiry').on('identities').column('expires_at').execute();
  await schema
    .createTable('certificates')
    .addColumn('serial', 'text', (column) => column.primaryKey())
    .addColumn('identity', 'text', (column) => column.notNull().references('identities.id'))
    .addColumn('issued_at', 'integer', (column) => column.notNull())
    .addColumn('not_after', 'integer', (column) => column.notNull())
    .addColumn('revoked_at', 'integer')
    .execute();
  await schema.createIndex('certificates_by_identity').on('certificates').column('identity').execute();
  await schema.createIndex('certificates_by_revocation').on('certificates').column('revoked_at').execute();
}

async function createRest({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('enrolment_codes')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('hash', 'text', (column) => column.notNull().unique())
    .addColumn('type', 'text')
    .addColumn('uses_left', 'integer', (column) => column.notNull())
    .addColumn('expires_at', 'integer')
    .addColumn('created_at', 'integer', (column) => column.notNull())
    .execute();
  await schema
    .createTable('settings')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('value', 'text', (column) => column.notNull())
    .execute();
}
