export interface BucketSize {
  /** Tokens that come back each second. */
  readonly perSecond: number;
  /** Tokens at the beginning, which is also the most that it holds. */
  readonly burst: number;
}

export interface TokenBucket {
  /** Takes a token; false when there is none. `now`: monotonic, in milliseconds. */
  take(now: number): boolean;
}

export function createTokenBucket({ perSecond, burst }: BucketSize, start: number): TokenBucket {
  let tokens = burst;
  let filledAt = start;
  return {
    take(now) {
      tokens = Math.min(burst, tokens + ((now - filledAt) / 1000) * perSecond);
      filledAt = now;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
