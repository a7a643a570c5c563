import { sql } from 'kysely';
import type { Write } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Phases in which a device owes an answer (P 10.10). */
const ANSWER_OWED = ['initiated', 'activating', 'sent'];

/** Which devices are asked again, and over which time, so that not all of a fleet is asked at once. */
export interface Haste {
  /** One device; by default all of them. */
  readonly device?: string;
  /** Time over which the questions are spread, in milliseconds. Default: 0. */
  readonly spreadMs?: number;
}

/**
 * Brings forward the next question to devices that owe an answer. What waited for them at the broker is lost: a PUBACK
 * does not promise that the device gets the message. So the server asks again now, and not after the timeout.
 *
 * @param now ms since 1970
 *
 * @example
 * await store.commit((write) => hastenAnswers(write, now, { spreadMs: 2_000 }));
 */
export async function hastenAnswers(
  write: Write<CoreTables>,
  now: number,
  { device, spreadMs = 0 }: Haste = {},
): Promise<void> {
  let update = write
    .updateTable('exchanges')
    // Spread by the row's id and not at random, so that it is the same when the commit is retried.
    .set({ wake_at: sql<number>`${now} + id % ${spreadMs + 1}` })
    .where('phase', 'in', ANSWER_OWED)
    .where('wake_at', '>', now + spreadMs);
  if (device !== undefined) update = update.where('device', '=', device);
  await update.execute();
}
