/** For `srup doctor`: the trail in a server's folder, read beside the server that may run. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { importVerifyKey } from '@srup/node';
import type { WitnessView } from '../api/forms/audit.ts';
import { openSqliteReadOnly } from '../store/sqlite/open.ts';
import { parseKeySet } from '../vault/files.ts';
import { headOf } from './append.ts';
import { lastCheckpoint } from './checkpoints.ts';
import { inspectTrail, lastWitnessed, type Own } from './inspect.ts';
import type { AuditTables } from './tables.ts';
import { isUrl, shownPlace } from './witness.ts';

export interface TrailFindings {
  readonly entries: number;
  /** What contradicts what the server signed, as its start would find it. */
  readonly wrong: readonly string[];
  /** Alarms that the server wrote down; `at`: ms since 1970. */
  readonly alarms: readonly { readonly seq: number; readonly at: number; readonly what: string }[];
  readonly witnesses: readonly WitnessFinding[];
}

export interface WitnessFinding extends Omit<WitnessView, 'failures'> {
  /** Signed entries that it has no checkpoint for. */
  readonly missing: number;
  /** Of a file: the last entry that it still has a checkpoint for, where that is before `seq`. */
  readonly cutTo?: number;
}

/** `since`: of the alarms, ms since 1970. */
export async function examineTrail(folder: string, since: number): Promise<TrailFindings> {
  const file = join(folder, 'server', 'fleet.db');
  const database = openSqliteReadOnly<AuditTables>(file);
  const store = database.read;
  try {
    const own = await readOwn(join(folder, 'server'));
    const rows = await store.selectFrom('audit_witnesses').selectAll().where('in_use', '=', 1).execute();
    const signed = (await lastCheckpoint(store))?.seq ?? 0;
    const files = rows.map(({ place }) => place).filter((place) => !isUrl(place));
    const alarms = await store
      .selectFrom('audit')
      .select(['seq', 'at', 'body'])
      .where('kind', '=', 'alarm')
      .where('at', '>=', since)
      .orderBy('seq')
      .execute();
    return {
      entries: (await headOf(store)).seq,
      wrong: await inspectTrail(store, own, files),
      alarms: alarms.map(({ seq, at, body }) => ({ seq, at, what: whatOf(body) })),
      witnesses: await Promise.all(rows.map((row) => examineWitness(row, signed, own))),
    };
  } finally {
    await database.close();
  }
}

async function readOwn(folder: string): Promise<Own> {
  const key = join(folder, 'ed25519.pem');
  const { signing } = parseKeySet('ed25519', await readFile(key, 'utf8'), key);
  const server = (await readFile(join(folder, 'identity'), 'utf8')).trim();
  return { server, key: importVerifyKey(signing.publicPem) };
}

function whatOf(body: string): string {
  return (JSON.parse(body) as { what: string }).what;
}

async function examineWitness(
  { place, seq, taken_at: takenAt, trouble }: AuditTables['audit_witnesses'],
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
