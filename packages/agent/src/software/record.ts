import { readFile } from 'node:fs/promises';
import { writeFileAtomic, type Log } from '@srup/node';
import { isDigest } from '@srup/protocol';
import * as v from 'valibot';
import { codeOf } from '../ground/trouble.ts';

const digest = v.pipe(v.string(), v.check(isDigest));

const schema = v.strictObject({
  /** Proven by a health check, or shipped with the device. It runs while nothing is on trial. */
  good: v.exactOptional(digest),
  /** Good versions before it, newest first. To revert needs no network (P 10.4). */
  former: v.array(digest),
  /** The version that was switched to and is not yet proven. */
  trial: v.exactOptional(
    v.strictObject({
      token: v.string(),
      digest,
      /** How often it was started. Software that takes the agent down must not get endless chances. */
      starts: v.number(),
      /** Why it failed, once it has; then the device goes back. */
      failure: v.exactOptional(v.string()),
    }),
  ),
  /** How switches ended, by token, newest last: the same token gets the same answer again. */
  results: v.array(
    v.strictObject({
      token: v.string(),
      outcome: v.picklist(['active', 'reverted']),
      reason: v.exactOptional(v.string()),
    }),
  ),
});

/**
 * `current.json`, the one place that says which software runs. It is replaced as a whole, so every power cut leaves one
 * of the states between two steps of a switch.
 */
export type SoftwareRecord = v.InferOutput<typeof schema>;
export type SwitchResult = SoftwareRecord['results'][number];

const NOTHING: SoftwareRecord = { former: [], results: [] };
/** Most results that are remembered. The engine remembers tokens for longer (P 6.4). */
const MAX_RESULTS = 32;

export interface RecordFile {
  read(): Promise<SoftwareRecord>;
  write(record: SoftwareRecord): Promise<void>;
}

export function openRecord(path: string, log: Log): RecordFile {
  return {
    async read() {
      const text = await readFile(path, 'utf8').catch((error: unknown) => {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw error;
      });
      if (text === undefined) return NOTHING;
      try {
        return v.parse(schema, JSON.parse(text));
      } catch {
        // Only a failing disk does this. An agent that starts can still be updated.
        log.error({ path }, 'the record of the software is damaged: beginning with none');
        return NOTHING;
      }
    },
    write: (record) => writeFileAtomic(path, JSON.stringify(record)),
  };
}

/** The digest that should run now. */
export function chosen(record: SoftwareRecord): string | undefined {
  return record.trial !== undefined && record.trial.failure === undefined ? record.trial.digest : record.good;
}

/** The record after the trial has proven itself: what was good before becomes the way back. */
export function commit(record: SoftwareRecord, keep: number): SoftwareRecord {
  const { trial, good } = record;
  if (trial === undefined) throw new Error('nothing is on trial');
  const before = good === undefined ? record.former : [good, ...record.former];
  const former = [...new Set(before)].filter((digest) => digest !== trial.digest).slice(0, keep);
  const results = remember(record, { token: trial.token, outcome: 'active' });
  return { good: trial.digest, former, results };
}

/** The record after a trial that failed: only the answer to its token is new. */
export function revert(record: SoftwareRecord, token: string, reason: string): SoftwareRecord {
  const { trial: _, ...rest } = record;
  return { ...rest, results: remember(record, { token, outcome: 'reverted', reason }) };
}

export function remember(record: SoftwareRecord, result: SwitchResult): SwitchResult[] {
  return [...record.results, result].slice(-MAX_RESULTS);
}
