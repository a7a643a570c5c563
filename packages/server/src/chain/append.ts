import { contentHash, linkHash, type NewAuditEntry } from '@srup/protocol';
import { CORE_CATALOGUE } from '../store/catalogue.ts';
import type { Write } from '../store/port.ts';
import { prepareRows, type Given } from '../store/rows.ts';
import type { AuditRow } from '../store/schema/audit.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { sha256 } from './hash.ts';
import { headOf } from './head.ts';

const insertEntries = prepareRows(
  CORE_CATALOGUE.audit.columns,
  (write: Write<CoreTables>, given: Given<AuditRow>) =>
    write.insertInto('audit').columns(given.columns).expression(given.rows),
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
  const rows = entries.map((entry): AuditRow => {
    seq += 1;
    const { at, kind, device = '', evidence = '' } = entry;
    const body = JSON.stringify(entry.body);
    hash = linkHash(hash, contentHash({ seq, at, kind, device, evidence, body }, sha256), sha256);
    return { seq, at, kind, device, evidence, body, hash };
  });
  await insertEntries(write, rows);
}
