import type { NewAuditEntry } from '@srup/protocol';
import { appendAudit } from '../chain/append.ts';
import { sha256 } from '../chain/hash.ts';
import { CORE_CATALOGUE, columnsWithout } from '../store/catalogue.ts';
import type { Write } from '../store/port.ts';
import { prepareRows, type Given } from '../store/rows.ts';
import type { MessageRow, NewMessage } from '../store/schema/messages.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { bundleWaiting, devicesWaiting } from './bundle.ts';

type Inserted = Omit<MessageRow, 'id'>;

const COLUMNS = columnsWithout('id', CORE_CATALOGUE.messages);
const insertInto = (write: Write<CoreTables>, { columns, rows }: Given<Inserted>) =>
  write.insertInto('messages').columns(columns).expression(rows);
/** Two statements: to return the id costs time, and nothing needs the id of a message that waits, like telemetry. */
const insertWaiting = prepareRows(COLUMNS, insertInto);
const insertChained = prepareRows(COLUMNS, (write: Write<CoreTables>, given: Given<Inserted>) =>
  insertInto(write, given).returning('id'),
);

/** A message that was accepted or sent, and whether it gets an audit entry of its own (`decideEntries`). */
export type Evidence = NewMessage & { readonly hasEntry: boolean };

/** The entries of the audit trail that a message brings: that of the message, after those of messages that waited. */
export type EntriesOf = ReadonlyMap<Evidence, readonly NewAuditEntry[]>;

/**
 * The one place where evidence is stored: messages that were accepted or sent, with the bytes that were signed. Each
 * brings its audit entry, or waits for an entry that tells of many. Append the entries in the same commit.
 *
 * @example
 * const evidence = decideEntries(messages, deservesEntry); // before the commit, which may run its work twice
 * await store.commit(async (write) => {
 *   const entries = await storeMessages(write, evidence);
 *   await appendAudit(write, ...evidence.flatMap((message) => entries.get(message) ?? []));
 * });
 */
export async function storeMessages(
  write: Write<CoreTables>,
  messages: readonly Evidence[],
): Promise<EntriesOf> {
  const own = messages.filter(({ hasEntry }) => hasEntry);
  const { waiting, later } = whatWaits(messages);
  const first = new Map(own.map((message) => [message.device, message] as const).reverse());
  const [, inserted, behind] = await Promise.all([
    insertWaiting(write, rowsOf(waiting, 0)),
    insertChained(write, rowsOf(own, 1)),
    devicesWaiting(write, [...first.keys()]),
  ]);
  // The database gave the ids in the order of the rows.
  const ids = inserted.map(({ id }) => id).sort((one, other) => one - other);
  const entries = new Map<Evidence, NewAuditEntry[]>();
  for (const [index, message] of own.entries())
    entries.set(message, [entryOf(message, ids[index] as number)]);
  // In the trail the messages of a device come in the order in which they were stored.
  for (const device of behind) {
    const message = first.get(device) as Evidence;
    entries.get(message)?.unshift(...(await bundleWaiting(write, device, message.at)));
  }
  await insertWaiting(write, rowsOf(later, 0));
  return entries;
}

/** Messages without an entry of their own. `later`: those that come after one with an entry, of the same device. */
function whatWaits(messages: readonly Evidence[]) {
  const withOwn = new Set<string>();
  const [waiting, later]: [Evidence[], Evidence[]] = [[], []];
  for (const message of messages) {
    if (message.hasEntry) withOwn.add(message.device);
    else (withOwn.has(message.device) ? later : waiting).push(message);
  }
  return { waiting, later };
}

/**
 * Stores messages, and appends their entries to the audit trail.
 *
 * @example
 * await store.commit((write) => appendMessages(write, evidence)); // `evidence` as above
 */
export async function appendMessages(write: Write<CoreTables>, messages: readonly Evidence[]): Promise<void> {
  const entries = await storeMessages(write, messages);
  await appendAudit(write, ...messages.flatMap((message) => entries.get(message) ?? []));
}

function rowsOf(messages: readonly Evidence[], isChained: 0 | 1): readonly Inserted[] {
  return messages.map((message) => ({ ...message, is_chained: isChained }));
}

function entryOf(message: NewMessage, id: number): NewAuditEntry {
  const { at, device, direction, type, sequence, token, bytes } = message;
  const body = { id, direction, type, sequence, token };
  return { kind: 'message', at, device, evidence: sha256(bytes), body };
}
