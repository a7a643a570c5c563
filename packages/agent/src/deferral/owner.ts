/** The owner's own deferral, given at the device: `srup agent defer`. */
import { readFile, rm } from 'node:fs/promises';
import { makePrivateFolder, writeFileAtomic } from '@srup/node';
import * as v from 'valibot';
import { homeAt, type Home } from '../ground/home.ts';
import { oneLine } from './deferral.ts';

/** Longest deferral: after that the token of an update is too old (P 6.2). */
export const MAX_DEFERRAL_MS = 7 * 24 * 60 * 60 * 1000;

const schema = v.object({ reason: v.string(), until: v.number() });
/** `until`: ms since 1970. */
export type OwnerDeferral = v.InferOutput<typeof schema>;

/** The owner's deferral if it holds at `now`, ms since 1970. A file that can't be read defers nothing. */
export async function readOwnerDeferral(
  home: Pick<Home, 'deferral'>,
  now: number,
): Promise<OwnerDeferral | undefined> {
  const text = await readFile(home.deferral, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const found = v.parse(schema, JSON.parse(text));
    // A clock that lost its time must not defer updates for ever.
    const holds = found.until > now && found.until - now <= MAX_DEFERRAL_MS;
    return holds ? { until: found.until, reason: oneLine(found.reason) } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Defers activations by the agent of this folder, whether it runs or not. Undefined ends the deferral.
 *
 * @example
 * await deferUpdates('./pump', { reason: 'trade fair', until: Date.now() + 3_600_000 });
 */
export async function deferUpdates(folder: string, what: OwnerDeferral | undefined): Promise<void> {
  const home = homeAt(folder);
  if (what === undefined) {
    await rm(home.deferral, { force: true });
    return;
  }
  await makePrivateFolder(home.folder);
  await writeFileAtomic(home.deferral, JSON.stringify(what));
}
