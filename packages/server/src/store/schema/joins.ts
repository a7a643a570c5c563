import { sql, type Generated, type Kysely, type Selectable } from 'kysely';
import type { JoinVerdict } from '@srup/protocol';
import { counted, key, needed, ofDevice } from './columns.ts';

export interface JoinPoliciesTable {
  type: string;
  verdict: JoinVerdict;
}

/** Who or what decided a join, and when (P 9.8). */
export interface JoinDecisionsTable {
  id: Generated<number>;
  device: string;
  token: string;
  at: number;
  verdict: Exclude<JoinVerdict, 'ask'>;
  /** A `Caller` as JSON; in rows of earlier releases a text. */
  decided_by: string;
}

export type JoinDecisionRow = Selectable<JoinDecisionsTable>;

/** Part of the step `fleet-001`. */
export async function createJoinDesk(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema
    .createTable('join_policies')
    .addColumn('type', 'text', key)
    .addColumn('verdict', 'text', needed)
    .execute();
  // A new server asks about every device until its owner changes the rule.
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
}
