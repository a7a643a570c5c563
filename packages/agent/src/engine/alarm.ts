import type { Clock } from '@srup/protocol';

export interface Alarm {
  /** The time to ring at, ms since 1970; undefined: never. The one before is forgotten. */
  set(at: number | undefined): void;
  stop(): void;
}

/** It rings at least this often while something is waited for: the clock may be set in between. */
const LONGEST_MS = 3_600_000;
/** After a ring that failed. */
const AGAIN_MS = 10_000;

/** Rings by the clock that the times are told in. `ring` sets it anew; if it rejects, it rings again soon. */
export function makeAlarm(clock: Clock, ring: () => Promise<void>): Alarm {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function wait(ms: number): void {
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(ringNow, ms);
  }

  function ringNow(): void {
    ring().catch(() => {
      wait(AGAIN_MS);
    });
  }

  return {
    set: (at) => {
      clearTimeout(timer);
      if (at !== undefined) wait(Math.min(Math.max(at - clock.now(), 0), LONGEST_MS));
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
