import type { Clock, Moment, Random } from '@srup/protocol';

/** A clock that went back by less was corrected: it has not lost its time. */
const TOLERANCE_MS = 60_000;
/** A clock that is this near to the server's is right. */
const AGREEMENT_MS = 600_000;

/** Tells the time to the exchanges, and whether the clock can be believed (P 6.2). */
export interface Watch {
  moment(): Moment;
  /** The server just said that it is about this time, ms since 1970; undefined: it did not say. */
  heard(serverTime: number | undefined): void;
  /** The latest time that was believed: commit it. */
  readonly floor: () => number;
}

/** `floor`: the latest time ever committed. A clock that shows less has lost its time: tokens are not judged by it. */
export function createWatch(clock: Clock, random: Random, floor: number): Watch {
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
