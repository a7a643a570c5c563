/** What devices have proven to run, in order: what a rollback can go back to (P 10.12). */
import type { RanView } from '../contract.ts';
import type { FleetTables } from '../store/tables.ts';
import type { Read, Write } from '../store/port.ts';

/** A proof about software, by a signed message of the device. */
export interface SoftwareProof {
  /** `active`, `restored` (by a rollback), `failed`: by a receipt. `named`: by its identification (P 10.7). */
  readonly what: 'active' | 'restored' | 'failed' | 'named';
  readonly digest: string;
  readonly token: string;
}

/** Rows of one device; a hostile one may name a new digest with each message. */
const ROWS_KEPT = 100;

export async function writeProof(
  transaction: Write<FleetTables>,
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

/** Newest first, each digest once. */
export async function readSoftware(store: Read<FleetTables>, device: string): Promise<readonly RanView[]> {
  const rows = await store
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
