/** What devices have proven to run, in order. A rollback goes back to it (P 10.12). */
import type { Selectable } from 'kysely';
import type { RanView } from '../api/forms/devices.ts';
import type { Read, Write } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** What a signed message of a device proves about its software. */
export interface SoftwareProof {
  /** A receipt proves `active`, `restored` (by a rollback) and `failed`. Its identification proves `named` (P 10.7). */
  readonly what: 'active' | 'restored' | 'failed' | 'named';
  readonly digest: string;
  readonly token: string;
}

/** The most rows of one device. A hostile one may name a new digest with each message. */
const ROWS_KEPT = 100;

/**
 * Writes a proof in the transaction of the message that brought it. `at`: ms since 1970.
 *
 * @example
 * await writeProof(write, device, at, { what: 'active', digest, token });
 */
export async function writeProof(
  transaction: Write<CoreTables>,
  device: string,
  at: number,
  { what, digest, token }: SoftwareProof,
): Promise<void> {
  const ofDevice = transaction.selectFrom('software').where('device', '=', device);
  if (what === 'failed') {
    await transaction
      .updateTable('software')
      .set({ is_undone: 1 })
      .where('device', '=', device)
      .where('digest', '=', digest)
      .execute();
    return;
  }
  const ways = ofDevice.select(['id', 'digest']).where('is_undone', '=', 0).orderBy('id', 'desc');
  if (what === 'restored') {
    const back = await ways.where('digest', '=', digest).executeTakeFirst();
    // What came after it is left behind: the next rollback goes further back, not forward again.
    if (back !== undefined) {
      await transaction
        .updateTable('software')
        .set({ is_undone: 1 })
        .where('device', '=', device)
        .where('id', '>', back.id)
        .execute();
      return;
    }
  }
  if ((await ways.executeTakeFirst())?.digest === digest) return;
  await transaction.insertInto('software').values({ device, digest, token, at, is_undone: 0 }).execute();
  const last = await ofDevice
    .select('id')
    .orderBy('id', 'desc')
    .offset(ROWS_KEPT)
    .limit(1)
    .executeTakeFirst();
  if (last === undefined) return;
  await transaction.deleteFrom('software').where('device', '=', device).where('id', '<=', last.id).execute();
}

/** Devices that one query reads. */
const DEVICES_AT_ONCE = 500;

/** What a device runs now, and what it has proven to have run, newest first. */
export interface SoftwareOfDevice {
  readonly running: string | undefined;
  readonly ran: readonly RanView[];
}

/**
 * Reads the software of many devices, by id. It takes two queries for hundreds of devices.
 *
 * @example
 * const known = await readSoftwareOf(store.read, ids);
 * known.get(id)?.running; // a digest
 */
export async function readSoftwareOf(
  read: Read<CoreTables>,
  devices: readonly string[],
): Promise<ReadonlyMap<string, SoftwareOfDevice>> {
  const known = new Map<string, SoftwareOfDevice>();
  for (let at = 0; at < devices.length; at += DEVICES_AT_ONCE) {
    const some = devices.slice(at, at + DEVICES_AT_ONCE);
    const running = await read
      .selectFrom('devices')
      .select(['id', 'running_digest'])
      .where('id', 'in', some)
      .execute();
    const rows = await read
      .selectFrom('software')
      .selectAll()
      .where('device', 'in', some)
      .orderBy('id', 'desc')
      .execute();
    const byDevice = Map.groupBy(rows, ({ device }) => device);
    for (const { id, running_digest: digest } of running)
      known.set(id, { running: digest ?? undefined, ran: viewRan(byDevice.get(id) ?? []) });
  }
  return known;
}

/**
 * Reads what one device has proven to run, newest first, each digest once.
 *
 * @example
 * const [newest] = await readSoftware(store.read, device);
 */
export async function readSoftware(read: Read<CoreTables>, device: string): Promise<readonly RanView[]> {
  return (await readSoftwareOf(read, [device])).get(device)?.ran ?? [];
}

function viewRan(rows: readonly Selectable<CoreTables['software']>[]): readonly RanView[] {
  const seen = new Set<string>();
  return rows.flatMap(({ digest, token, at, is_undone: undone }) => {
    if (seen.has(digest)) return [];
    seen.add(digest);
    return [{ digest, provenAt: at, token, isWayBack: undone === 0 }];
  });
}
