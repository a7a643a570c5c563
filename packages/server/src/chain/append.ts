import { contentHash, linkHash, type NewAuditEntry } from '@srup/protocol';
import type { Write } from '../store/port.ts';
import { prepare } from '../store/prepared.ts';
import type { AuditRow } from '../store/schema/audit.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { sha256 } from './hash.ts';
import { headOf } from './head.ts';

const insertEntry = prepare((write: Write<CoreTables>, p: AuditRow) =>
  write.insertInto('audit').values({
    seq: p.seq,
    at: p.at,
    kind: p.kind,
    device: p.device,
    evidence: p.evidence,
    body: p.body,
    hash: p.hash,
  }),
);

/**
 * Appends entries to the audit trail. It runs in the transaction of what the entries record: neither is stored without
 * the other.
 *
 * @example
 * await store.commit(async (write) => {
 *   await write.updateTable('devices').set({ name }).where('id', '=', device).execute();
 *   await appendAudit(write, { kind: 'name', at, device, body: { name, by } });
 * });
 */
export async function appendAudit(
  write: Write<CoreTables>,
  ...entries: readonly NewAuditEntry[]
): Promise<void> {
  if (entries.length === 0) return;
  let { seq, hash } = await headOf(write);
  for (const entry of entries) {
    seq += 1;
    const { at, kind, device = '', evidence = '' } = entry;
    const body = JSON.stringify(entry.body);
    hash = linkHash(hash, contentHash({ seq, at, kind, device, evidence, body }, sha256), sha256);
    await insertEntry(write, { seq, at, kind, device, evidence, body, hash });
  }
}
