/** The owner's own "not now", said at the device: `srup agent defer`. */
import { readFile, rm } from 'node:fs/promises';
import { makePrivateFolder, writeFileAtomic } from '@srup/node';
import * as v from 'valibot';
import { homeAt, type Home } from '../ground/home.ts';
import { oneLine } from './deferral.ts';

/** An update waits no longer than this: its token is too old then (P 6.2). */
export const MAX_PUT_OFF_MS = 7 * 24 * 60 * 60 * 1000;

const schema = v.object({ reason: v.string(), until: v.number() });
/** `until`: ms since 1970. */
export type PutOff = v.InferOutput<typeof schema>;

/** Undefined: nothing is put off now. A file that can't be read puts off nothing. */
export async function readPutOff(home: Pick<Home, 'putOff'>, now: number): Promise<PutOff | undefined> {
  const text = await readFile(home.putOff, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const found = v.parse(schema, JSON.parse(text));
    // A clock that lost its time must not put updates off for ever.
    const holds = found.until > now && found.until - now <= MAX_PUT_OFF_MS;
    return holds ? { until: found.until, reason: oneLine(found.reason) } : undefined;
  } catch {
    return undefined;
  }
}

/** Puts activations off in the agent of this folder, running or not; undefined: no longer. */
export async function putOff(folder: string, what: PutOff | undefined): Promise<void> {
  const home = homeAt(folder);
  if (what === undefined) {
    await rm(home.putOff, { force: true });
    return;
  }
  await makePrivateFolder(home.folder);
  await writeFileAtomic(home.putOff, JSON.stringify(what));
}
