import { sql, type Transaction } from 'kysely';
import type { FleetTables, NewMessage, NewRefusal } from './tables.ts';

/** Refusals kept for people to read; hostile senders make as many as they like. The counts by code stay for ever. */
export const REFUSALS_KEPT = 10_000;
/** Refusals between two cuts of the ring. */
const REFUSALS_CUT = 100;
/** Characters of a topic that are kept of a refused message. */
const TOPIC_KEPT = 200;

/** The one place where evidence is appended: messages that were accepted or sent, with the bytes that were signed. */
export async function appendMessages(
  transaction: Transaction<FleetTables>,
  messages: readonly NewMessage[],
): Promise<void> {
  if (messages.length > 0) await transaction.insertInto('messages').values(messages).execute();
}

/** Nothing of a refused message is kept but what it claimed to be. */
export async function appendRefusal(
  transaction: Transaction<FleetTables>,
  refusal: NewRefusal,
): Promise<void> {
  const topic = refusal.topic.slice(0, TOPIC_KEPT);
  const { insertId } = await transaction
    .insertInto('refusals')
    .values({ ...refusal, topic })
    .executeTakeFirst();
  await transaction
    .insertInto('refusal_counts')
    .values({ code: refusal.code, count: 1 })
    .onConflict((conflict) => conflict.column('code').doUpdateSet({ count: sql`refusal_counts.count + 1` }))
    .execute();
  const id = Number(insertId);
  if (id % REFUSALS_CUT !== 0) return;
  await transaction
    .deleteFrom('refusals')
    .where('id', '<=', id - REFUSALS_KEPT)
    .execute();
}
