import type { Clock } from '@srup/protocol';
import type { DeservesEntry } from './messages.ts';

/** Messages to and from one device that get audit entries of their own, in an hour. Updates need ten. */
const ENTRIES_AN_HOUR = 600;
const HOUR_MS = 3_600_000;

/**
 * Says which messages the trail tells of one by one. Entries stay for ever, so a joined but hostile device must not
 * be able to cause them as fast as it can speak: beyond the budget, as for telemetry always, one entry tells of many.
 */
export function createEntryBudget(clock: Clock): DeservesEntry {
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
