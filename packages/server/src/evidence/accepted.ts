import type { Read } from '../store/port.ts';
import { atMost, prepare } from '../store/prepared.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/**
 * The newest messages of a device, in and out, among which one is looked for. More than a link has in hand, with the
 * answers to them.
 */
const NEWEST = 512;

interface Wanted {
  readonly device: string;
  readonly sequence: string;
}

const selectNewest = prepare((read, p: Wanted) =>
  read
    .selectFrom('messages')
    .select('bytes')
    // Only the index is read for these, and the bytes only of a message with this number.
    .where('id', 'in', (select) =>
      select
        .selectFrom('messages')
        .select('id')
        .where('device', '=', p.device)
        .orderBy('id', 'desc')
        .limit(atMost(NEWEST)),
    )
    .where('direction', '=', 'in')
    .where('sequence', '=', p.sequence),
);

/**
 * Tells whether exactly these bytes were accepted from the device lately.
 *
 * @example
 * await wasAccepted(store.read, '27ab54d670b64be2', 7n, bytes);
 */
export async function wasAccepted(
  read: Read<CoreTables>,
  device: string,
  sequence: bigint,
  bytes: Uint8Array,
): Promise<boolean> {
  const { rows } = await selectNewest(read, { device, sequence: sequence.toString() });
  return rows.some((row) => Buffer.compare(row.bytes, bytes) === 0);
}
