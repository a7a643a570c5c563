/** How fast one device may publish. The broker takes what comes faster later instead of refusing it: TCP slows the device. */
export interface Pace {
  /** Messages a second. */
  readonly perSecond: number;
  /** Messages that it may publish at once, after a pause. */
  readonly burst: number;
}

export const DEVICE_PACE: Pace = { perSecond: 200, burst: 1_000 };

/**
 * Returns a function that gives for each message, at this moment (monotonic ms), the milliseconds that it has to wait.
 * It is a token bucket that may owe.
 *
 * @example
 * const waitMs = createPacer({ perSecond: 10, burst: 1 });
 * waitMs(0); // 0
 * waitMs(0); // 100
 */
export function createPacer({ perSecond, burst }: Pace): (now: number) => number {
  let tokens = burst;
  let last: number | undefined;
  return (now) => {
    tokens = Math.min(burst, tokens + ((now - (last ?? now)) * perSecond) / 1000);
    last = now;
    tokens -= 1;
    return tokens >= 0 ? 0 : (-tokens * 1000) / perSecond;
  };
}
