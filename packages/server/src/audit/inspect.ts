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
import { sha256 } from '../chain/hash.ts';
import { lastCheckpoint } from './checkpoints.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import type { Read } from '../store/port.ts';

/** The newest entries, which are hashed again at each inspection. `srup verify` hashes all. */
const HASHED_AGAIN = 10_000;
/** Bytes at the end of a witness file that are searched for its last checkpoint. */
const TAIL_BYTES = 1 << 16;

/** Whose checkpoints count, and the key that they are verified with. */
export interface Own {
  /** The server's identity as hex text. */
  readonly server: string;
  readonly key: VerifyKey;
}

/** Finds what is wrong with the server's own trail, in words: what contradicts its hashes, signatures or witnesses. */
export async function inspectTrail(
  read: Read<CoreTables>,
  own: Own,
  witnessFiles: readonly string[],
): Promise<readonly string[]> {
  const wrong: string[] = [];
  const broken = await firstBroken(read);
  if (broken !== undefined) wrong.push(`entry ${broken} was changed, or an entry before it was taken out`);
  wrong.push(...(await inspectLastCheckpoint(read, own)));
  for (const path of witnessFiles) {
    const known = await lastWitnessed(path, own);
    if (known !== undefined) wrong.push(...(await compare(read, known, `the witness ${path}`)));
  }
  return wrong;
}

async function inspectLastCheckpoint(read: Read<CoreTables>, { key }: Own): Promise<string[]> {
  const last = await lastCheckpoint(read);
  if (last === undefined) return [];
  const checkpoint = readCheckpoint(last.text);
  if (checkpoint === undefined || !isSigned(last.text, last.signature, key)) {
    return [`the checkpoint of entry ${last.seq} is not signed by this server`];
  }
  return compare(read, checkpoint, 'the last checkpoint');
}

function isSigned(text: string, signature: string, key: VerifyKey): boolean {
  return isSignedBy({ text, signature: fromHex(signature) ?? new Uint8Array() }, key);
}

async function compare(read: Read<CoreTables>, { seq, hash }: Checkpoint, who: string): Promise<string[]> {
  const row = await read.selectFrom('audit').select('hash').where('seq', '=', seq).executeTakeFirst();
  if (row?.hash === hash) return [];
  const { last } = (await read
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

async function firstBroken(read: Read<CoreTables>): Promise<number | undefined> {
  const rows = await read
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

/** Finds the last checkpoint of this server in a witness file. Undefined: there is no file, or none in it. */
export async function lastWitnessed(path: string, { server, key }: Own): Promise<Checkpoint | undefined> {
  const lines = (await tailOf(path)).split('\n').reverse();
  for (const line of lines) {
    try {
      const { checkpoint: text, signature } = JSON.parse(line) as Record<string, unknown>;
      const checkpoint = readCheckpoint(String(text));
      const isOurs = checkpoint?.server === server;
      if (isOurs && isSigned(String(text), String(signature), key)) return checkpoint;
    } catch {
      // Others may write there too, and the first line of the tail may be cut off.
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
