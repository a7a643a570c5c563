import type { NewAuditEntry } from '@srup/protocol';
import { appendAudit } from '../chain/append.ts';
import { sha256 } from '../chain/hash.ts';
import type { Write } from '../store/port.ts';
import { prepare } from '../store/prepared.ts';
import type { MessageRow, NewMessage } from '../store/schema/messages.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { chainWaiting } from './bundle.ts';

type Inserted = Omit<MessageRow, 'id' | 'is_chained'>;

const insertInto = (write: Write<CoreTables>, p: Inserted, isChained: 0 | 1) =>
  write.insertInto('messages').values({
    at: p.at,
    device: p.device,
    direction: p.direction,
    type: p.type,
    sequence: p.sequence,
    token: p.token,
    bytes: p.bytes,
    is_chained: isChained,
  });
/** Two statements: to return the id costs time, and nothing needs the id of a message that waits, like telemetry. */
const insertWaiting = prepare((write: Write<CoreTables>, p: Inserted) => insertInto(write, p, 0));
const insertChained = prepare((write: Write<CoreTables>, p: Inserted) =>
  insertInto(write, p, 1).returning('id'),
);

/** A message that was accepted or sent, and whether it gets an audit entry of its own (`decideEntries`). */
export type Evidence = NewMessage & { readonly hasEntry: boolean };

/**
 * The one place where evidence is appended: messages that were accepted or sent, with the bytes that were signed. Each
 * gets its audit entry here, or waits for an entry that tells of many.
 *
 * @example
 * const evidence = decideEntries(messages, deservesEntry); // before the commit, which may run its work twice
 * await store.commit((write) => appendMessages(write, evidence));
 */
export async function appendMessages(write: Write<CoreTables>, messages: readonly Evidence[]): Promise<void> {
  for (const message of messages) {
    if (message.hasEntry) await appendWithEntry(write, message);
    else await insertWaiting(write, message);
  }
}

async function appendWithEntry(write: Write<CoreTables>, message: NewMessage): Promise<void> {
  // In the trail the messages of a device come in the order in which they were stored.
  await chainWaiting(write, message.device, message.at);
  const { rows } = await insertChained(write, message);
  for (const { id } of rows) await appendAudit(write, entryOf(message, id));
}

function entryOf(message: NewMessage, id: number): NewAuditEntry {
  const { at, device, direction, type, sequence, token, bytes } = message;
  const body = { id, direction, type, sequence, token };
  return { kind: 'message', at, device, evidence: sha256(bytes), body };
}
