import { sql } from 'kysely';
import type { Write } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Phases in which a device owes an answer (P 10.10). */
const ANSWER_OWED = ['initiated', 'activating', 'sent'];

/** Whose answers are hastened, and over which time, so that a fleet is not asked in one breath. */
export interface Haste {
  /** One device; by default all of them. */
  readonly device?: string;
  /** Milliseconds. */
  readonly spreadMs?: number;
}

/**
 * Brings forward the next question to devices that owe an answer. What waited for them at the broker is lost, as a
 * PUBACK is no promise; so they are asked again now, and not at the end of the timeout.
 * @param now ms since 1970
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
