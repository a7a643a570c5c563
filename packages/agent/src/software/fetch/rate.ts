import type { Clock } from '@srup/protocol';

/** The least that a transfer must bring: at least one byte in each window. A window of 0 switches the check off. */
export interface RateFloor {
  readonly bytesPerSecond: number;
  readonly windowMs: number;
}

export interface RateMeter {
  add(bytes: number, now: number): void;
  /** True when the window that ends now brought less than the floor allows. Never before one window has passed. */
  isTooSlow(now: number): boolean;
}

/** Samples in a window: enough to see a stall in time, few enough to add up at every check. */
const BUCKETS = 30;

/** Stops slow retrieval (threat 8): a server that sends just enough to keep a connection open. Times in ms, monotonic. */
export function createRateMeter(floor: RateFloor, start: number): RateMeter {
  const width = floor.windowMs / BUCKETS;
  const needed = Math.max(1, (floor.bytesPerSecond * floor.windowMs) / 1000);
  let buckets: { readonly since: number; bytes: number }[] = [];
  return {
    add(bytes, now) {
      const newest = buckets.at(-1);
      if (newest !== undefined && now - newest.since < width) newest.bytes += bytes;
      else buckets.push({ since: now, bytes });
    },
    isTooSlow(now) {
      if (floor.windowMs === 0 || now - start < floor.windowMs) return false;
      buckets = buckets.filter((bucket) => now - bucket.since <= floor.windowMs);
      return buckets.reduce((sum, bucket) => sum + bucket.bytes, 0) < needed;
    },
  };
}

/** A rate that is watched. */
export interface RateWatch {
  readonly signal: AbortSignal;
  add(bytes: number): void;
  stop(): void;
}

/** Checks for a stall in each window. */
const LOOKS = 20;

/** Aborts its signal when the transfer is slower than the floor, and when `outer` aborts. */
export function watchRate(floor: RateFloor, clock: Clock, outer: AbortSignal): RateWatch {
  const tooSlow = new AbortController();
  const meter = createRateMeter(floor, clock.monotonic());
  const timer = setInterval(
    () => {
      if (meter.isTooSlow(clock.monotonic())) tooSlow.abort();
    },
    Math.max(10, floor.windowMs / LOOKS),
  );
  return {
    signal: AbortSignal.any([outer, tooSlow.signal]),
    add: (bytes) => {
      meter.add(bytes, clock.monotonic());
    },
    stop: () => {
      clearInterval(timer);
    },
  };
}
