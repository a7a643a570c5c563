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

/** That this device gave its identity up, and why (P 10.8). */
export type Left = v.InferOutput<typeof schema>;

export function readLeft(home: Home): Promise<Left | undefined> {
  return readJson(home.left, schema);
}

/** From now on the device is nobody; what is left of its identity is removed at the next start at the latest. */
export async function markLeft(home: Home, left: Left): Promise<void> {
  await writeFileAtomic(home.left, `${JSON.stringify(left)}\n`);
}

export async function giveUpIdentity(home: Home, left: Left): Promise<void> {
  // An erasure that is owed stays owed, however the identity ends.
  if ((await readLeft(home)) === undefined) await markLeft(home, left);
  await forgetIdentity(home);
}

/** Nothing is to run on a device that erased itself, or is about to, until somebody wants it back. */
export function isErased(left: Left | undefined): boolean {
  return left !== undefined && left.how !== 'deregistered';
}

/** The device may enrol again. */
export async function clearLeft(home: Home): Promise<void> {
  await rm(home.left, { force: true });
  await syncFolder(home.folder);
}
