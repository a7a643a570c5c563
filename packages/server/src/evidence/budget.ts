import type { Clock } from '@srup/protocol';
import type { NewMessage } from '../store/schema/messages.ts';
import type { Evidence } from './messages.ts';

/** Messages to and from one device that get audit entries of their own, in an hour. An update needs ten. */
const ENTRIES_AN_HOUR = 600;
const HOUR_MS = 3_600_000;

/** Decides whether a message gets an audit entry of its own, and charges the device for it. */
export type DeservesEntry = (message: NewMessage) => boolean;

/**
 * Creates the budget of audit entries. Entries stay for ever, so a joined but hostile device must not cause them as
 * fast as it can send: beyond the budget, and for telemetry always, one entry tells of many messages.
 */
export function createEntryBudget(clock: Pick<Clock, 'monotonic'>): DeservesEntry {
  const spent = new Map<string, number>();
  let since = clock.monotonic();
  return ({ device, direction, type }) => {
    if (direction === 'in' && type === 'DATA') return false;
    const now = clock.monotonic();
    if (now - since >= HOUR_MS) {
      since = now;
      spent.clear();
    }
    const count = (spent.get(device) ?? 0) + 1;
    spent.set(device, count);
    return count <= ENTRIES_AN_HOUR;
  };
}

/**
 * Decides for each message. Call it before the commit: a commit may run its work twice, and the device would be charged
 * twice.
 */
export function decideEntries(
  messages: readonly NewMessage[],
  deservesEntry: DeservesEntry,
): readonly Evidence[] {
  return messages.map((message) => ({ ...message, hasEntry: deservesEntry(message) }));
}
