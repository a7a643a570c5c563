import { BUNDLE_BYTES, BUNDLE_MESSAGES, evidenceOf, type NewAuditEntry } from '@srup/protocol';
import { appendAudit } from '../chain/append.ts';
import { sha256 } from '../chain/hash.ts';
import type { Write } from '../store/port.ts';
import { atMost, prepare } from '../store/prepared.ts';
import { prepareRows, type Given } from '../store/rows.ts';
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

const selectDevicesWaiting = prepareRows(
  { device: 'text' },
  (read: Write<CoreTables>, given: Given<{ device: string }>) =>
    read
      .selectFrom(given.table)
      .select('given.device')
      // Not `exists`: PostgreSQL makes a join of it, and reads the waiting messages of the whole fleet.
      .where(
        (where) =>
          where
            .selectFrom('messages')
            .select('id')
            .whereRef('messages.device', '=', 'given.device')
            .where(IS_UNCHAINED)
            .orderBy('id')
            .limit(atMost(1)),
        'is not',
        null,
      ),
);

/** Which of these devices have messages that wait for an audit entry. */
export async function devicesWaiting(
  write: Write<CoreTables>,
  devices: readonly string[],
): Promise<readonly string[]> {
  const rows = await selectDevicesWaiting(
    write,
    devices.map((device) => ({ device })),
  );
  return rows.map(({ device }) => device);
}

/** Appends the entries of the messages of a device that wait for one. `at`: milliseconds since 1970. */
export async function chainWaiting(write: Write<CoreTables>, device: string, at: number): Promise<void> {
  await appendAudit(write, ...(await bundleWaiting(write, device, at)));
}

/**
 * Makes the audit entries of the messages of a device that wait for one, each of which tells of many. Append them in
 * the same commit.
 * @param at milliseconds since 1970
 */
export async function bundleWaiting(
  write: Write<CoreTables>,
  device: string,
  at: number,
): Promise<readonly NewAuditEntry[]> {
  const entries: NewAuditEntry[] = [];
  for (let bundle = await nextBundle(write, device); bundle !== undefined;) {
    const { hashes, from, to } = bundle;
    entries.push({
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
  return entries;
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
