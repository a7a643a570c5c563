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
/** A clock beyond this is set wrongly; believing it would make every token look too old. */
const CLOCK_CEILING = Date.UTC(2066, 0, 1);

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  isTrusted: () => {
    const now = Date.now();
    return now >= CLOCK_FLOOR && now < CLOCK_CEILING;
  },
};

export const systemRandom: Random = {
  bytes: (count) => new Uint8Array(randomBytes(count)),
  unit: () => Math.random(), // for jitter only
};

/** A new UUIDv7 token (P 6.1). */
export function newToken(clock: Clock, random: Random): TokenKey {
  return tokenKey(createToken(clock.now(), random.bytes(10)));
}

/** A new 64-bit identity (P 2.7). */
export function newIdentity(random: Random): Identity {
  for (;;) {
    const id = identityFromRandom(random.bytes(8));
    if (id !== undefined) return id;
  }
}
