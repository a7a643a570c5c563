import { sql } from 'kysely';
import { BUNDLE_BYTES, BUNDLE_MESSAGES, evidenceOf, type NewAuditEntry } from '@srup/protocol';
import { appendAudit, sha256 } from '../audit/append.ts';
import { IS_UNCHAINED } from '../store/migrations.ts';
import { prepare } from '../store/prepared.ts';
import type { FleetTables, MessageRow, NewMessage, NewRefusal } from '../store/tables.ts';
import type { Write } from '../store/port.ts';

/** Refusals kept for people to read; hostile senders make as many as they like. The counts by code stay for ever. */
export const REFUSALS_KEPT = 10_000;
/** Refusals between two cuts of the ring. */
const REFUSALS_CUT = 100;
/** Characters of a topic that are kept of a refused message. */
const TOPIC_KEPT = 200;
/** Messages read at once while a bundle is made. */
const READ_AT_ONCE = 64;

const insertMessage = prepare((store: Write<FleetTables>, p: Omit<MessageRow, 'id'>) =>
  store.insertInto('messages').values({
    at: p.at,
    device: p.device,
    direction: p.direction,
    type: p.type,
    sequence: p.sequence,
    token: p.token,
    bytes: p.bytes,
    is_chained: p.is_chained,
  }),
);
const selectWaiting = prepare((store, p: { readonly device: string; readonly after: number }) =>
  store
    .selectFrom('messages')
    .select(['id', 'bytes'])
    .where('device', '=', p.device)
    .where(IS_UNCHAINED)
    .where('id', '>', p.after)
    .orderBy('id')
    .limit(READ_AT_ONCE),
);

/** May this message have an audit entry of its own? Telemetry has none, and nobody gets them without limit. */
export type DeservesEntry = (message: NewMessage) => boolean;

/**
 * The one place where evidence is appended: messages that were accepted or sent, with the bytes that were signed.
 * Each has its audit entry, or waits for one that tells of many.
 */
export async function appendMessages(
  transaction: Write<FleetTables>,
  messages: readonly NewMessage[],
  deservesEntry: DeservesEntry,
): Promise<void> {
  for (const message of messages) {
    const isChained = deservesEntry(message);
    // In the trail the messages of a device come in the order in which they were stored.
    if (isChained) await chainWaiting(transaction, message.device, message.at);
    const { insertId } = await insertMessage(transaction, { ...message, is_chained: isChained ? 1 : 0 });
    if (isChained) await appendAudit(transaction, entryOf(message, Number(insertId)));
  }
}

function entryOf({ at, device, direction, type, sequence, token, bytes }: NewMessage, id: number) {
  const evidence = sha256(bytes);
  return {
    kind: 'message',
    at,
    device,
    evidence,
    body: { id, direction, type, sequence, token },
  } satisfies NewAuditEntry;
}

/** Gives the messages of a device that wait for it their entries, one for many. */
export async function chainWaiting(
  transaction: Write<FleetTables>,
  device: string,
  at: number,
): Promise<void> {
  for (let bundle = await nextBundle(transaction, device); bundle !== undefined;) {
    const { hashes, from, to } = bundle;
    await appendAudit(transaction, {
      kind: 'messages',
      at,
      device,
      evidence: evidenceOf(hashes, sha256),
      body: { from, to, count: hashes.length },
    });
    await transaction
      .updateTable('messages')
      .set({ is_chained: 1 })
      .where('device', '=', device)
      .where(IS_UNCHAINED)
      .where('id', '<=', to)
      .execute();
    bundle = await nextBundle(transaction, device);
  }
}

interface Bundle {
  readonly hashes: readonly string[];
  readonly from: number;
  readonly to: number;
}

/** The oldest messages of a device that wait; no more than fit into one entry. */
async function nextBundle(transaction: Write<FleetTables>, device: string): Promise<Bundle | undefined> {
  const hashes: string[] = [];
  let from = 0;
  let to = 0;
  let bytes = 0;
  for (;;) {
    const { rows } = await selectWaiting(transaction, { device, after: to });
    for (const row of rows) {
      bytes += row.bytes.length;
      const isFull = hashes.length === BUNDLE_MESSAGES || bytes > BUNDLE_BYTES;
      if (isFull && hashes.length > 0) return { hashes, from, to };
      hashes.push(sha256(row.bytes));
      from ||= row.id;
      to = row.id;
    }
    if (rows.length < READ_AT_ONCE) return hashes.length === 0 ? undefined : { hashes, from, to };
  }
}

/** Nothing of a refused message is kept but what it claimed to be. */
export async function appendRefusal(transaction: Write<FleetTables>, refusal: NewRefusal): Promise<void> {
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
