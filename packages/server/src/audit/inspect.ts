import { open } from 'node:fs/promises';
import {
  contentHash,
  fromHex,
  isSignedBy,
  linkHash,
  NO_LINK,
  readCheckpoint,
  type Checkpoint,
  type VerifyKey,
} from '@srup/protocol';
import { sha256 } from './append.ts';
import { lastCheckpoint } from './checkpoints.ts';
import type { AuditTables } from './tables.ts';
import type { Read } from '../store/port.ts';

/** Entries that are hashed again at a start; `srup verify` hashes all. */
const HASHED_AGAIN = 10_000;
/** Bytes at the end of a witness file that are looked through for its last checkpoint. */
const TAIL_BYTES = 1 << 16;

export interface Own {
  readonly server: string;
  readonly key: VerifyKey;
}

/** What is wrong with the server's own trail, in words; nothing in most cases. */
export async function inspectTrail(
  store: Read<AuditTables>,
  own: Own,
  witnessFiles: readonly string[],
): Promise<readonly string[]> {
  const wrong: string[] = [];
  const broken = await firstBroken(store);
  if (broken !== undefined) wrong.push(`entry ${broken} was changed, or an entry before it was taken out`);
  const last = await lastCheckpoint(store);
  if (last !== undefined) {
    const checkpoint = readCheckpoint(last.text);
    const signature = fromHex(last.signature) ?? new Uint8Array();
    if (checkpoint === undefined || !isSignedBy({ text: last.text, signature }, own.key)) {
      wrong.push(`the checkpoint of entry ${last.seq} is not signed by this server`);
    } else {
      wrong.push(...(await compare(store, checkpoint, 'the last checkpoint')));
    }
  }
  for (const path of witnessFiles) {
    const known = await lastWitnessed(path, own);
    if (known !== undefined) wrong.push(...(await compare(store, known, `the witness ${path}`)));
  }
  return wrong;
}

async function compare(store: Read<AuditTables>, { seq, hash }: Checkpoint, who: string): Promise<string[]> {
  const row = await store.selectFrom('audit').select('hash').where('seq', '=', seq).executeTakeFirst();
  if (row?.hash === hash) return [];
  const { last } = (await store
    .selectFrom('audit')
    .select((select) => select.fn.max<number | null>('seq').as('last'))
    .executeTakeFirst()) ?? { last: null };
  return row === undefined
    ? [
        `${who} covers entry ${seq}, but the trail ends with entry ${last ?? 0}: entries were taken out, or the server was restored from a backup`,
      ]
    : [
        `${who} has another entry ${seq}: entries up to there were changed, or the server was restored from a backup`,
      ];
}

async function firstBroken(store: Read<AuditTables>): Promise<number | undefined> {
  const rows = await store
    .selectFrom('audit')
    .selectAll()
    .orderBy('seq', 'desc')
    .limit(HASHED_AGAIN)
    .execute();
  rows.reverse();
  let before = rows[0]?.seq === 1 ? { seq: 0, hash: NO_LINK } : rows.shift();
  for (const row of rows) {
    const isNext = before !== undefined && row.seq === before.seq + 1;
    if (!isNext || linkHash(before?.hash ?? '', contentHash(row, sha256), sha256) !== row.hash)
      return row.seq;
    before = row;
  }
  return undefined;
}

/** The last checkpoint of this server in the file, if there is a file and one in it. */
export async function lastWitnessed(path: string, { server, key }: Own): Promise<Checkpoint | undefined> {
  const lines = (await tailOf(path)).split('\n').reverse();
  for (const line of lines) {
    try {
      const { checkpoint: text, signature } = JSON.parse(line) as Record<string, unknown>;
      const checkpoint = readCheckpoint(String(text));
      const isOurs = checkpoint?.server === server;
      if (
        isOurs &&
        isSignedBy({ text: String(text), signature: fromHex(String(signature)) ?? new Uint8Array() }, key)
      )
        return checkpoint;
    } catch {
      // Others may write there too, and the first line of the tail may be a half one.
    }
  }
  return undefined;
}

async function tailOf(path: string): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const length = Math.min(size, TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
