import { sql, type Generated } from 'kysely';
import type { Migrations } from './steps.ts';
import { counted, needed, ofDevice } from './columns.ts';

/** What a device proved that it ran: a row each time that it became something else. */
export interface SoftwareTable {
  id: Generated<number>;
  device: string;
  digest: string;
  /** The token of the message that proves it. */
  token: string;
  at: number;
  /** 1: it failed later, or a rollback left it behind. No rollback leads there. */
  is_undone: number;
}

export const softwareSteps: Migrations = {
  'fleet-software-001': {
    async up(db) {
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
    },
  },
};
