import type { Clock } from '@srup/protocol';

/**
 * Returns a function that is true at most `most` times in each `perMs` milliseconds. It keeps a flood that hostile
 * senders cause from drowning the rest.
 *
 * @example
 * const mayTell = createThrottle(clock, 10, 1000);
 * if (mayTell()) log.info({ code }, 'a message was refused');
 */
export function createThrottle(clock: Clock, most: number, perMs: number): () => boolean {
  let since = -Infinity;
  let count = 0;
  return () => {
    const now = clock.monotonic();
    if (now - since >= perMs) {
      since = now;
      count = 0;
    }
    count += 1;
    return count <= most;
  };
}
