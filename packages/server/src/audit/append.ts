import { hash } from 'node:crypto';
import { CompiledQuery } from 'kysely';
import {
  contentHash,
  linkHash,
  NO_LINK,
  type AuditKind,
  type HexSha256,
  type NewAuditEntry,
} from '@srup/protocol';
import type { Read, Write } from '../store/port.ts';
import type { AuditRow, AuditTables } from './tables.ts';

export const sha256: HexSha256 = (data) => hash('sha256', data, 'hex');

/** The last entry: its place, and the hash that the next one continues. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

type Queries = Pick<Read<AuditTables>, 'executeQuery'>;

const LAST = 'select seq, hash from audit order by seq desc limit 1';
const LAST_OF_KIND = 'select body from audit where kind = ? order by seq desc limit 1';
const INSERT = 'insert into audit (seq, at, kind, device, evidence, body, hash) values (?, ?, ?, ?, ?, ?, ?)';

/**
 * Appends entries to the trail, in the transaction of what they record: neither is there without the other.
 * The texts are raw SQL because this runs with every message, where building a query costs more than running it.
 */
export async function appendAudit(
  transaction: Pick<Write<AuditTables>, 'executeQuery' | 'isTransaction'>,
  ...entries: readonly NewAuditEntry[]
): Promise<void> {
  if (entries.length === 0) return;
  let { seq, hash: previous } = await headOf(transaction);
  for (const entry of entries) {
    seq += 1;
    const { at, kind, device = '', evidence = '' } = entry;
    const body = JSON.stringify(entry.body);
    const content = contentHash({ seq, at, kind, device, evidence, body }, sha256);
    previous = linkHash(previous, content, sha256);
    const values = [seq, at, kind, device, evidence, body, previous];
    await transaction.executeQuery(CompiledQuery.raw(INSERT, values));
  }
}

export async function headOf(store: Queries): Promise<Head> {
  const { rows } = await store.executeQuery<Head>(CompiledQuery.raw(LAST));
  return rows[0] ?? { seq: 0, hash: NO_LINK };
}

/** Whether the newest entry of this kind says the same: then nothing is new. */
export async function isLastOfKind(store: Queries, kind: AuditKind, body: object): Promise<boolean> {
  const { rows } = await store.executeQuery<{ body: string }>(CompiledQuery.raw(LAST_OF_KIND, [kind]));
  return rows[0]?.body === JSON.stringify(body);
}

/** An entry as it is shown, without its body; what it does not have is left out. */
export function entryHead({ seq, at, kind, device, evidence, hash: link }: AuditRow) {
  return {
    seq,
    at,
    kind,
    ...(device !== '' && { device }),
    ...(evidence !== '' && { evidence }),
    hash: link,
  };
}
