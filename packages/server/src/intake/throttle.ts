import type { Clock } from '@srup/protocol';

/**
 * True for the first `most` calls in each `perMs` milliseconds, and false for the others: what hostile senders cause must
 * not drown the rest.
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
