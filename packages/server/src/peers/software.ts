/** What devices have proven to run, in order: what a rollback can go back to (P 10.12). */
import type { RanView } from '../contract.ts';
import type { Read, Write } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** What a signed message of a device proves about its software. */
export interface SoftwareProof {
  /** By a receipt: `active`, `restored` (by a rollback) or `failed`. By its identification (P 10.7): `named`. */
  readonly what: 'active' | 'restored' | 'failed' | 'named';
  readonly digest: string;
  readonly token: string;
}

/** Rows that are kept of one device. A hostile one can name a new digest with each message. */
const ROWS_KEPT = 100;

/** Writes what a device proved. A proof that changes nothing adds no row. */
export async function writeProof(
  write: Write<CoreTables>,
  device: string,
  at: number,
  { what, digest, token }: SoftwareProof,
): Promise<void> {
  if (what === 'failed') return undoDigest(write, device, digest);
  if (what === 'restored' && (await goBack(write, device, digest))) return;
  if ((await waysOf(write, device).executeTakeFirst())?.digest === digest) return;
  await write.insertInto('software').values({ device, digest, token, at, is_undone: 0 }).execute();
  await trimSoftware(write, device);
}

/** What a rollback can go back to, newest first. The newest is what runs. */
function waysOf(write: Write<CoreTables>, device: string) {
  return write
    .selectFrom('software')
    .select(['id', 'digest'])
    .where('device', '=', device)
    .where('is_undone', '=', 0)
    .orderBy('id', 'desc')
    .limit(1);
}

/** What ran once and fails now is no way back. */
async function undoDigest(write: Write<CoreTables>, device: string, digest: string): Promise<void> {
  await write
    .updateTable('software')
    .set({ is_undone: 1 })
    .where('device', '=', device)
    .where('digest', '=', digest)
    .execute();
}

/**
 * Leaves behind what came after the digest: the next rollback goes further back, not forward again. False: the digest
 * is no way back.
 */
async function goBack(write: Write<CoreTables>, device: string, digest: string): Promise<boolean> {
  const back = await waysOf(write, device).where('digest', '=', digest).executeTakeFirst();
  if (back === undefined) return false;
  await write
    .updateTable('software')
    .set({ is_undone: 1 })
    .where('device', '=', device)
    .where('id', '>', back.id)
    .execute();
  return true;
}

async function trimSoftware(write: Write<CoreTables>, device: string): Promise<void> {
  const ofDevice = write.selectFrom('software').select('id').where('device', '=', device);
  const last = await ofDevice.orderBy('id', 'desc').limit(1).offset(ROWS_KEPT).executeTakeFirst();
  if (last === undefined) return;
  await write.deleteFrom('software').where('device', '=', device).where('id', '<=', last.id).execute();
}

/** Reads what a device has run, newest first, each digest once. */
export async function readSoftware(read: Read<CoreTables>, device: string): Promise<readonly RanView[]> {
  const rows = await read
    .selectFrom('software')
    .selectAll()
    .where('device', '=', device)
    .orderBy('id', 'desc')
    .execute();
  const seen = new Set<string>();
  return rows.flatMap(({ digest, token, at, is_undone: undone }) => {
    if (seen.has(digest)) return [];
    seen.add(digest);
    return [{ digest, provenAt: at, token, isWayBack: undone === 0 }];
  });
}
