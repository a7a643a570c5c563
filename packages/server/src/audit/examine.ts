/** The trail in a server's folder, read beside the server that may run. `srup doctor` shows it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { importVerifyKey, type Secret } from '@srup/node';
import type { AuditBodies } from '@srup/protocol';
import type { WitnessView } from '../api/forms/audit.ts';
import { findDatabases } from '../store/databases.ts';
import { openReadOnly } from '../store/open.ts';
import { parseKeySet } from '../vault/files.ts';
import { headOf } from '../chain/head.ts';
import { lastCheckpoint } from './checkpoints.ts';
import { inspectTrail, lastWitnessed, type Own } from './inspect.ts';
import type { Read } from '../store/port.ts';
import type { WitnessRow } from '../store/schema/audit.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { isUrl, shownPlace } from './deliver.ts';

export interface TrailFindings {
  readonly entries: number;
  /** What contradicts what the server signed, in the words of the server's own inspection. */
  readonly wrong: readonly string[];
  /** Alarms that the server wrote down. `at`: milliseconds since 1970. */
  readonly alarms: readonly { readonly seq: number; readonly at: number; readonly what: string }[];
  readonly witnesses: readonly WitnessFinding[];
}

export interface WitnessFinding extends Omit<WitnessView, 'failures'> {
  /** Signed entries that the witness has no checkpoint for. */
  readonly missing: number;
  /** The last entry that a witness file still has a checkpoint for, if the file was cut back to before `seq`. */
  readonly cutTo?: number;
}

/**
 * Examines the trail in a server's folder and its witnesses. It reads only, so the server can run meanwhile. Rejects
 * when the folder holds no server or its database can't be read.
 * @param since gives only alarms from this time on, in milliseconds since 1970
 * @param password of the database, instead of the one in the file that the folder names
 *
 * @example
 * const { entries, wrong, witnesses } = await examineTrail('/var/lib/srup', Date.now() - 30 * DAY_MS);
 * if (wrong.length > 0) console.error(wrong.join('\n'));
 */
export async function examineTrail(folder: string, since: number, password?: Secret): Promise<TrailFindings> {
  const database = openReadOnly<CoreTables>((await findDatabases(folder, password)).core);
  const { read } = database;
  try {
    const own = await readOwn(join(folder, 'server'));
    const rows = await read.selectFrom('audit_witnesses').selectAll().where('in_use', '=', 1).execute();
    const signed = (await lastCheckpoint(read))?.seq ?? 0;
    const files = rows.map(({ place }) => place).filter((place) => !isUrl(place));
    return {
      entries: (await headOf(read)).seq,
      wrong: await inspectTrail(read, own, files),
      alarms: await alarmsSince(read, since),
      witnesses: await Promise.all(rows.map((row) => examineWitness(row, signed, own))),
    };
  } finally {
    await database.close();
  }
}

async function alarmsSince(read: Read<CoreTables>, since: number): Promise<TrailFindings['alarms']> {
  const rows = await read
    .selectFrom('audit')
    .select(['seq', 'at', 'body'])
    .where('kind', '=', 'alarm')
    .where('at', '>=', since)
    .orderBy('seq')
    .execute();
  return rows.map(({ seq, at, body }) => ({
    seq,
    at,
    what: (JSON.parse(body) as AuditBodies['alarm']).what,
  }));
}

async function readOwn(folder: string): Promise<Own> {
  const key = join(folder, 'ed25519.pem');
  const { signing } = parseKeySet('ed25519', await readFile(key, 'utf8'), key);
  const server = (await readFile(join(folder, 'identity'), 'utf8')).trim();
  return { server, key: importVerifyKey(signing.publicPem) };
}

async function examineWitness(
  { place, seq, taken_at: takenAt, trouble }: WitnessRow,
  signed: number,
  own: Own,
): Promise<WitnessFinding> {
  const held = isUrl(place) ? seq : ((await lastWitnessed(place, own))?.seq ?? 0);
  return {
    place: shownPlace(place),
    seq,
    missing: Math.max(0, signed - seq),
    ...(takenAt !== null && { takenAt }),
    ...(trouble !== null && { trouble }),
    ...(held < seq && { cutTo: held }),
  };
}
