import { readFile } from 'node:fs/promises';
import type { Clock, Moment, Random } from '@srup/protocol';

/** A clock that went back by less was corrected, not lost. */
const TOLERANCE_MS = 60_000;
/** A clock that is this near to the server's is right. */
const AGREEMENT_MS = 600_000;

/** Tells moments to the machines, and whether the clock deserves belief (P 6.2). */
export interface Watch {
  moment(): Moment;
  /** The server just said that it is about this time, ms since 1970; undefined: it did not say. */
  heard(serverTime: number | undefined): void;
  /** The latest believed time: to be committed. */
  floor(): number;
}

/** `floor`: the latest time ever committed. A clock that shows less has lost its time: tokens are not judged by it. */
export function makeWatch(clock: Clock, random: Random, floor: number): Watch {
  let latest = floor;
  return {
    moment: () => {
      const now = clock.now();
      const trusted = clock.isTrusted() && now >= latest - TOLERANCE_MS;
      if (trusted) latest = Math.max(latest, now);
      return { now, trusted, random: random.unit() };
    },
    heard: (serverTime) => {
      const now = clock.now();
      const agrees = serverTime !== undefined && Math.abs(serverTime - now) < AGREEMENT_MS;
      // A clock that was ahead for a while and was corrected since is believed again.
      if (agrees && clock.isTrusted()) latest = now;
    },
    floor: () => latest,
  };
}

/** Names this start of the system; undefined where the kernel does not tell. */
export async function readBootId(): Promise<string | undefined> {
  const text = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return text.trim() === '' ? undefined : text.trim();
}
