import { rm } from 'node:fs/promises';
import * as v from 'valibot';
import { syncFolder, writeFileAtomic } from '@srup/node';
import type { Home } from '../home.ts';
import { forgetIdentity, readJson } from './identity.ts';

const schema = v.object({
  /** `erased`: by action 09, for good. */
  how: v.picklist(['deregistered', 'erased']),
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
  await markLeft(home, left);
  await forgetIdentity(home);
}

/** The device may enrol again. */
export async function clearLeft(home: Home): Promise<void> {
  await rm(home.left, { force: true });
  await syncFolder(home.folder);
}
