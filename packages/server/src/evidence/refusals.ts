import { sql } from 'kysely';
import type { Write } from '../store/port.ts';
import type { NewRefusal } from '../store/schema/messages.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Refusals that are kept for people to read; hostile senders cause as many as they like. Counts by code stay. */
export const REFUSALS_KEPT = 10_000;
/** Refusals between two cuts of the ring. */
const REFUSALS_CUT = 100;
/** Characters that are kept of the topic of a refused message. */
const TOPIC_KEPT = 200;

/** Appends a refusal. Only what the message claimed to be is kept of it. */
export async function appendRefusal(write: Write<CoreTables>, refusal: NewRefusal): Promise<void> {
  const topic = refusal.topic.slice(0, TOPIC_KEPT);
  const { id } = await write
    .insertInto('refusals')
    .values({ ...refusal, topic })
    .returning('id')
    .executeTakeFirstOrThrow();
  await write
    .insertInto('refusal_counts')
    .values({ code: refusal.code, count: 1 })
    .onConflict((conflict) => conflict.column('code').doUpdateSet({ count: sql`refusal_counts.count + 1` }))
    .execute();
  if (await isCutDue(write, id)) await cutRefusals(write);
}

/** Each time that the ids pass a multiple of `REFUSALS_CUT`. Ids can have gaps, so the multiple itself may not be used. */
async function isCutDue(write: Write<CoreTables>, id: number): Promise<boolean> {
  const before = await write
    .selectFrom('refusals')
    .select('id')
    .where('id', '<', id)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return Math.floor((before?.id ?? 0) / REFUSALS_CUT) < Math.floor(id / REFUSALS_CUT);
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
