import { sql } from 'kysely';
import { CORE_CATALOGUE, columnsWithout } from '../store/catalogue.ts';
import type { Write } from '../store/port.ts';
import { prepareRows, type Given } from '../store/rows.ts';
import type { NewRefusal, RefusalCountsTable, RefusalRow } from '../store/schema/messages.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Refusals that are kept for people to read; hostile senders cause as many as they like. Counts by code stay. */
export const REFUSALS_KEPT = 10_000;
/** Refusals between two cuts of the ring. */
const REFUSALS_CUT = 100;
/** Characters that are kept of the topic of a refused message. */
const TOPIC_KEPT = 200;

type Inserted = Omit<RefusalRow, 'id'>;

const insertRefusals = prepareRows(
  columnsWithout('id', CORE_CATALOGUE.refusals),
  (write: Write<CoreTables>, given: Given<Inserted>) =>
    write.insertInto('refusals').columns(given.columns).expression(given.rows).returning('id'),
);
const addCounts = prepareRows(
  CORE_CATALOGUE.refusal_counts.columns,
  (write: Write<CoreTables>, given: Given<RefusalCountsTable>) =>
    write
      .insertInto('refusal_counts')
      .columns(given.columns)
      .expression(given.rows)
      .onConflict((conflict) =>
        conflict.column('code').doUpdateSet({ count: sql<number>`refusal_counts.count + excluded.count` }),
      ),
);

/** Appends refusals. Only what a message claimed to be is kept of it. */
export async function appendRefusals(
  write: Write<CoreTables>,
  refusals: readonly NewRefusal[],
): Promise<void> {
  if (refusals.length === 0) return;
  const rows = refusals.map(({ at, code, claimed_sender: sender = null, topic, type = null }): Inserted => ({
    ...{ at, code, claimed_sender: sender, type },
    topic: topic.slice(0, TOPIC_KEPT),
  }));
  const counts = Map.groupBy(rows, ({ code }) => code);
  const [ids] = await Promise.all([
    insertRefusals(write, rows),
    addCounts(
      write,
      [...counts].map(([code, of]) => ({ code, count: of.length })),
    ),
  ]);
  if (
    await isCutDue(
      write,
      ids.map(({ id }) => id),
    )
  )
    await cutRefusals(write);
}

/** Each time that the ids pass a multiple of `REFUSALS_CUT`. Ids can have gaps, so the multiple itself may not be used. */
async function isCutDue(write: Write<CoreTables>, ids: readonly number[]): Promise<boolean> {
  const before = await write
    .selectFrom('refusals')
    .select('id')
    .where('id', '<', Math.min(...ids))
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return Math.floor((before?.id ?? 0) / REFUSALS_CUT) < Math.floor(Math.max(...ids) / REFUSALS_CUT);
}

async function cutRefusals(write: Write<CoreTables>): Promise<void> {
  const last = await write
    .selectFrom('refusals')
    .select('id')
    .orderBy('id', 'desc')
    .limit(1)
    .offset(REFUSALS_KEPT)
    .executeTakeFirst();
  if (last !== undefined) await write.deleteFrom('refusals').where('id', '<=', last.id).execute();
}
