import { randomBytes } from 'node:crypto';
import {
  createToken,
  identityFromRandom,
  tokenKey,
  type Clock,
  type Identity,
  type Random,
  type TokenKey,
} from '@srup/protocol';

/** Before this software existed: such a clock was never set. */
const CLOCK_FLOOR = Date.UTC(2026, 0, 1);
/** A clock beyond this is wrong. If it were trusted, every token would look too old. */
const CLOCK_CEILING = Date.UTC(2066, 0, 1);

/** The clock of the system. It is trusted while it shows a time at which this software can run (P 6.2). */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  isTrusted: () => {
    const now = Date.now();
    return now >= CLOCK_FLOOR && now < CLOCK_CEILING;
  },
};

/** The random source of the system. */
export const systemRandom: Random = {
  bytes: (count) => new Uint8Array(randomBytes(count)),
  unit: () => Math.random(), // for jitter only
};

/**
 * Makes a UUIDv7 token (P 6.1).
 *
 * @example
 * const token = newToken(systemClock, systemRandom);
 */
export function newToken(clock: Clock, random: Random): TokenKey {
  return tokenKey(createToken(clock.now(), random.bytes(10)));
}

/**
 * Makes a 64-bit identity (P 2.7).
 *
 * @example
 * const device = newIdentity(systemRandom);
 */
export function newIdentity(random: Random): Identity {
  for (;;) {
    const id = identityFromRandom(random.bytes(8));
    if (id !== undefined) return id;
  }
}
