import { sql } from 'kysely';
import type { FleetTables } from '../store/tables.ts';
import type { Write } from '../store/port.ts';

/** Phases in which a device owes an answer (P 10.10). */
const ANSWER_OWED = ['initiated', 'activating', 'sent'];

/** Whose answers are hastened, and over which time, so that a fleet is not asked in one breath. */
export interface Haste {
  /** One device; all of them unless told. */
  readonly device?: string;
  /** Milliseconds. */
  readonly spreadMs?: number;
}

/**
 * What waited at the broker is lost, for one device or for all: PUBACK is no promise. What is owed an answer is asked
 * again now, not at the end of its time-out. `now`: ms since 1970.
 */
export async function hastenAnswers(
  transaction: Write<FleetTables>,
  now: number,
  { device, spreadMs = 0 }: Haste = {},
): Promise<void> {
  // Told twice, in the column and in the state: so it is drawn from the row, and not at random.
  const soon = sql<number>`(${now} + id % ${spreadMs + 1})`;
  let update = transaction
    .updateTable('exchanges')
    .set({ wake_at: soon, state: sql<string>`json_set(state, '$.wakeAt', ${soon})` })
    .where('phase', 'in', ANSWER_OWED)
    .where('wake_at', '>', now + spreadMs);
  if (device !== undefined) update = update.where('device', '=', device);
  await update.execute();
}
