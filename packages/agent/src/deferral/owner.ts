/** The owner's own "not now", said at the device: `srup agent defer`. */
import { readFile, rm } from 'node:fs/promises';
import { makePrivateFolder, writeFileAtomic } from '@srup/node';
import * as v from 'valibot';
import { homeAt, type Home } from '../ground/home.ts';
import { oneLine } from './deferral.ts';

/** An update waits no longer than this: its token is too old then (P 6.2). */
export const MAX_DEFERRAL_MS = 7 * 24 * 60 * 60 * 1000;

const schema = v.object({ reason: v.string(), until: v.number() });
/** `until`: ms since 1970. */
export type OwnerDeferral = v.InferOutput<typeof schema>;

/** Undefined: nothing is put off now. A file that can't be read puts off nothing. */
export async function readOwnerDeferral(
  home: Pick<Home, 'deferral'>,
  now: number,
): Promise<OwnerDeferral | undefined> {
  const text = await readFile(home.deferral, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const found = v.parse(schema, JSON.parse(text));
    // A clock that lost its time must not put updates off for ever.
    const holds = found.until > now && found.until - now <= MAX_DEFERRAL_MS;
    return holds ? { until: found.until, reason: oneLine(found.reason) } : undefined;
  } catch {
    return undefined;
  }
}

/** Puts activations off in the agent of this folder, running or not; undefined: no longer. */
export async function deferUpdates(folder: string, what: OwnerDeferral | undefined): Promise<void> {
  const home = homeAt(folder);
  if (what === undefined) {
    await rm(home.deferral, { force: true });
    return;
  }
  await makePrivateFolder(home.folder);
  await writeFileAtomic(home.deferral, JSON.stringify(what));
}
