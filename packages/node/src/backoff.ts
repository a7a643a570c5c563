/** Milliseconds. */
export interface BackoffBounds {
  readonly leastMs: number;
  readonly mostMs: number;
}

/** Doublings beyond this many change nothing: the bounds are reached long before. */
const MAX_DOUBLINGS = 30;

/**
 * Milliseconds to wait after `failures` failures in a row (1 or more): doubled each time, and jittered over the upper
 * half so that a fleet that failed together doesn't come back together (P 10.10). `random`: 0 to 1.
 */
export function backoffMs(failures: number, bounds: BackoffBounds, random: number): number {
  const doubled = bounds.leastMs * 2 ** Math.min(failures - 1, MAX_DOUBLINGS);
  return Math.min(bounds.mostMs, doubled) * (0.5 + random / 2);
}
