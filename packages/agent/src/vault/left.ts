import { rm } from 'node:fs/promises';
import * as v from 'valibot';
import { syncFolder, writeFileAtomic } from '@srup/node';
import type { Home } from '../ground/home.ts';
import { forgetIdentity, readJson } from './identity.ts';

const schema = v.object({
  /** `erasing`: action 09 (P 10.5) is owed and not finished yet; `erased`: it is. */
  how: v.picklist(['deregistered', 'erasing', 'erased']),
  at: v.number(),
});

/** Says that this device gave its identity up, and why (P 10.8). */
export type Left = v.InferOutput<typeof schema>;

export function readLeft(home: Home): Promise<Left | undefined> {
  return readJson(home.left, schema);
}

/** From now on the device has no identity. What is left of the old one is removed at the next start at the latest. */
export async function markLeft(home: Home, left: Left): Promise<void> {
  await writeFileAtomic(home.left, `${JSON.stringify(left)}\n`);
}

export async function giveUpIdentity(home: Home, left: Left): Promise<void> {
  // An erasure that is owed stays owed, however the identity ends.
  if ((await readLeft(home)) === undefined) await markLeft(home, left);
  await forgetIdentity(home);
}

/** Has the device erased itself, or is it about to? Then nothing runs on it until the owner wants it back. */
export function isErased(left: Left | undefined): boolean {
  return left !== undefined && left.how !== 'deregistered';
}

/** Lets the device enrol again. */
export async function clearLeft(home: Home): Promise<void> {
  await rm(home.left, { force: true });
  await syncFolder(home.folder);
}
