import {
  contentHash,
  EXPORT_FORMAT,
  toHex,
  type AuditBodies,
  type AuditKind,
  type EntryLine,
  type HeaderLine,
} from '@srup/protocol';
import type { AuditRow } from '../store/schema/audit.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { entryHead } from './entry-head.ts';
import { sha256 } from '../chain/hash.ts';
import { headOf } from '../chain/head.ts';
import { formatCheckpoint } from './deliver.ts';
import type { Read } from '../store/port.ts';

/** Entries that one query reads. Others use the database in between. */
const ROWS_AT_ONCE = 200;

/** What an export shows in full. It gives the rest by hash, so that the chain can be checked from its beginning. */
export interface ExportWish {
  /** Show entries about this device, and those about no device. */
  readonly device?: string | undefined;
  /** Show entries from this time on, in milliseconds since 1970. */
  readonly since?: number | undefined;
}

/** Without these kinds no other entry can be judged. */
const ALWAYS_SHOWN: ReadonlySet<AuditKind> = new Set<AuditKind>(['begin', 'trim', 'restore', 'alarm']);

/**
 * Gives the history up to now, one line at a time, each with its line feed (docs/audit.md).
 * @param now milliseconds since 1970
 *
 * @example
 * for await (const line of exportTrail(store.read, serverId, { device }, Date.now())) file.write(line);
 */
export async function* exportTrail(
  store: Read<CoreTables>,
  server: string,
  wish: ExportWish,
  now: number,
): AsyncGenerator<string, void> {
  const { device, since } = wish;
  const chosen = { ...(device !== undefined && { device }), ...(since !== undefined && { since }) };
  yield lineOf({ format: EXPORT_FORMAT, server, exportedAt: now, ...chosen } satisfies HeaderLine);
  const { seq: last, hash } = await headOf(store);
  for (let seq = 0; seq < last;) {
    const rows = await entriesAfter(store, seq, last);
    const checkpoints = await checkpointsIn(store, seq, rows.at(-1)?.seq ?? last);
    // Entries that should be there are missing: the end line shows it.
    if (rows.length === 0) break;
    for (const row of rows) {
      yield lineOf(isShown(row, wish) ? await shown(store, row) : withheld(row));
      const checkpoint = checkpoints.get(row.seq);
      if (checkpoint !== undefined) yield `${formatCheckpoint(checkpoint)}\n`;
      seq = row.seq;
    }
  }
  yield lineOf({ end: last, hash });
}

function lineOf(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

function entriesAfter(store: Read<CoreTables>, seq: number, last: number): Promise<AuditRow[]> {
  return store
    .selectFrom('audit')
    .selectAll()
    .where('seq', '>', seq)
    .where('seq', '<=', last)
    .orderBy('seq')
    .limit(ROWS_AT_ONCE)
    .execute();
}

async function checkpointsIn(store: Read<CoreTables>, after: number, through: number) {
  const rows = await store
    .selectFrom('audit_checkpoints')
    .selectAll()
    .where('seq', '>', after)
    .where('seq', '<=', through)
    .execute();
  return new Map(rows.map((row) => [row.seq, row]));
}

function isShown({ kind, device, at }: AuditRow, wish: ExportWish): boolean {
  if (ALWAYS_SHOWN.has(kind)) return true;
  const isOthers = wish.device !== undefined && device !== '' && device !== wish.device;
  if (isOthers) return false;
  return wish.since === undefined || at >= wish.since || kind === 'device';
}

function withheld(row: AuditRow): object {
  return { seq: row.seq, content: contentHash(row, sha256), hash: row.hash };
}

async function shown(store: Read<CoreTables>, row: AuditRow): Promise<object> {
  const messages = await messagesOf(store, row);
  return { ...entryHead(row), body: row.body, ...(messages.length > 0 && { messages }) };
}

/** The messages that an entry tells of, as far as they are still stored. */
async function messagesOf(
  store: Read<CoreTables>,
  { kind, device, body }: AuditRow,
): Promise<EntryLine['messages']> {
  if (kind !== 'message' && kind !== 'messages') return [];
  const { from, to } = kind === 'message' ? rangeOfOne(body) : (JSON.parse(body) as AuditBodies['messages']);
  const rows = await store
    .selectFrom('messages')
    .select(['id', 'bytes'])
    .where('device', '=', device)
    .where('id', '>=', from)
    .where('id', '<=', to)
    .orderBy('id')
    .execute();
  return rows.map(({ id, bytes }) => ({ id, hex: toHex(bytes) }));
}

function rangeOfOne(body: string): { from: number; to: number } {
  const { id } = JSON.parse(body) as AuditBodies['message'];
  return { from: id, to: id };
}
