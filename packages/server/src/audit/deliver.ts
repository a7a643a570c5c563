/** How a witness gets checkpoints: appended to a file, or posted to a URL. */
import { open } from 'node:fs/promises';
import type { SignedCheckpoint } from '@srup/protocol';

/** For one checkpoint to reach a URL, in milliseconds. */
const POST_TIMEOUT_MS = 10_000;

/** Brings checkpoints to a place, in their order. Rejects when the place did not take them all. */
export type Deliver = (
  place: string,
  checkpoints: readonly SignedCheckpoint[],
  ending: AbortSignal,
) => Promise<void>;

export function isUrl(place: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(place);
}

/** The name of a witness as others see it. The query of its URL may hold a key, so it is cut off. */
export function shownPlace(place: string): string {
  return isUrl(place) ? place.replace(/[?#].*$/, '') : place;
}

/** Writes a checkpoint as one JSON object: a line of a witness file, or the body of a POST. */
export function formatCheckpoint({ text, signature }: SignedCheckpoint): string {
  return JSON.stringify({ checkpoint: text, signature });
}

export const deliver: Deliver = (place, checkpoints, ending) =>
  isUrl(place) ? deliverToUrl(place, checkpoints, ending) : deliverToFile(place, checkpoints);

async function deliverToFile(path: string, checkpoints: readonly SignedCheckpoint[]): Promise<void> {
  // Others may read it: a checkpoint holds no secret.
  const file = await open(path, 'a', 0o644);
  try {
    const lines = checkpoints.map((one) => `${formatCheckpoint(one)}\n`).join('');
    await file.writeFile((await isTorn(path)) ? `\n${lines}` : lines);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Tells whether a power cut left half a line. What is written next would be one with it. */
async function isTorn(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch(() => undefined); // its owner may let us append only
  if (file === undefined) return false;
  try {
    const { size } = await file.stat();
    const { bytesRead, buffer } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
    return bytesRead === 1 && buffer.toString() !== '\n';
  } finally {
    await file.close();
  }
}

async function deliverToUrl(
  url: string,
  checkpoints: readonly SignedCheckpoint[],
  ending: AbortSignal,
): Promise<void> {
  for (const checkpoint of checkpoints) {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: formatCheckpoint(checkpoint),
      redirect: 'error',
      signal: AbortSignal.any([ending, AbortSignal.timeout(POST_TIMEOUT_MS)]),
    });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`it answered with the status ${answer.status}`);
  }
}
