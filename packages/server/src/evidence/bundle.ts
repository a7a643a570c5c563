import { BUNDLE_BYTES, BUNDLE_MESSAGES, evidenceOf } from '@srup/protocol';
import { appendAudit } from '../chain/append.ts';
import { sha256 } from '../chain/hash.ts';
import type { Write } from '../store/port.ts';
import { atMost, prepare } from '../store/prepared.ts';
import { IS_UNCHAINED } from '../store/schema/messages.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Messages that one query reads while a bundle is made. */
const READ_AT_ONCE = 64;

const selectWaiting = prepare((read, p: { readonly device: string; readonly after: number }) =>
  read
    .selectFrom('messages')
    .select(['id', 'bytes'])
    .where('device', '=', p.device)
    .where(IS_UNCHAINED)
    .where('id', '>', p.after)
    .orderBy('id')
    .limit(atMost(READ_AT_ONCE)),
);

/**
 * Gives the messages of a device that wait for an audit entry their entries, each of which tells of many.
 * @param at milliseconds since 1970
 */
export async function chainWaiting(write: Write<CoreTables>, device: string, at: number): Promise<void> {
  for (let bundle = await nextBundle(write, device); bundle !== undefined;) {
    const { hashes, from, to } = bundle;
    await appendAudit(write, {
      kind: 'messages',
      at,
      device,
      evidence: evidenceOf(hashes, sha256),
      body: { from, to, count: hashes.length },
    });
    await write
      .updateTable('messages')
      .set({ is_chained: 1 })
      .where('device', '=', device)
      .where(IS_UNCHAINED)
      .where('id', '<=', to)
      .execute();
    bundle = await nextBundle(write, device);
  }
}

interface Bundle {
  readonly hashes: readonly string[];
  readonly from: number;
  readonly to: number;
}

/** The oldest messages of a device that wait, as many as fit into one entry. */
async function nextBundle(write: Write<CoreTables>, device: string): Promise<Bundle | undefined> {
  const hashes: string[] = [];
  let from = 0;
  let to = 0;
  let bytes = 0;
  for (;;) {
    const { rows } = await selectWaiting(write, { device, after: to });
    for (const row of rows) {
      bytes += row.bytes.length;
      const isFull = hashes.length === BUNDLE_MESSAGES || bytes > BUNDLE_BYTES;
      if (isFull && hashes.length > 0) return { hashes, from, to };
      hashes.push(sha256(row.bytes));
      from ||= row.id;
      to = row.id;
    }
    if (rows.length < READ_AT_ONCE) return hashes.length === 0 ? undefined : { hashes, from, to };
  }
}
