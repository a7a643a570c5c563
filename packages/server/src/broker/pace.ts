/** How fast one device may publish, in messages. More is not refused, but taken later: TCP slows the device down. */
export interface Pace {
  readonly perSecond: number;
  /** At once, after a pause. */
  readonly burst: number;
}

export const DEVICE_PACE: Pace = { perSecond: 200, burst: 1_000 };

/** Gives for each message, at this moment (monotonic ms), the ms that it has to wait: a bucket that may owe. */
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
