import { sql, type Generated, type Selectable } from 'kysely';
import type { Migrations } from './steps.ts';
import { counted, needed } from './columns.ts';

/** What one owner's turn asks of another owner. It is written in the commit of that turn. */
export interface ErrandsTable {
  id: Generated<number>;
  /** Whose lane takes it: `device/ID`, `rollout/ID` or `server/ID`. */
  owner: string;
  kind: string;
  /** JSON; its form depends on `kind`. */
  body: string;
  /** The errand is not taken before this time. */
  after: number;
  created_at: number;
}

export type ErrandRow = Selectable<ErrandsTable>;

export const errandSteps: Migrations = {
  'fleet-errands-001': {
    async up(db) {
      const { schema } = db;
      await schema
        .createTable('errands')
        .addColumn('id', 'integer', counted)
        .addColumn('owner', 'text', needed)
        .addColumn('kind', 'text', needed)
        .addColumn('body', 'text', needed)
        .addColumn('after', 'bigint', needed)
        .addColumn('created_at', 'bigint', needed)
        .execute();
      await schema.createIndex('errands_by_time').on('errands').columns(['after']).execute();
      await schema.createIndex('errands_by_owner').on('errands').columns(['owner', 'id']).execute();
      // The end of an identity was a time in the row of its device.
      await sql`insert into errands (owner, kind, body, after, created_at)
        select 'device/' || id, 'end-identity', '{}', revoke_at, revoke_at
        from devices where revoke_at is not null`.execute(db);
      await schema.dropIndex('devices_by_revocation').execute();
      await schema.alterTable('devices').dropColumn('revoke_at').execute();
    },
  },
};
