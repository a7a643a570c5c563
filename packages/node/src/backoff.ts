/** The shortest and the longest wait, in milliseconds. */
export interface BackoffBounds {
  readonly leastMs: number;
  readonly mostMs: number;
}

/** More doublings than this change nothing: the longest wait is reached long before. */
const MAX_DOUBLINGS = 30;

/**
 * Milliseconds to wait after `failures` failures in a row (1 or more). The wait doubles each time. Its upper half is
 * jittered, so that a fleet that failed together does not come back together (P 10.10). `random`: 0 to 1.
 *
 * @example
 * backoffMs(3, { leastMs: 1_000, mostMs: 60_000 }, 0.5); // 3000
 */
export function backoffMs(failures: number, bounds: BackoffBounds, random: number): number {
  const doubled = bounds.leastMs * 2 ** Math.min(failures - 1, MAX_DOUBLINGS);
  return Math.min(bounds.mostMs, doubled) * (0.5 + random / 2);
}
