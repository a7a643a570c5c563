import type { Delay } from '@srup/node';
import type { Clock } from '@srup/protocol';

export interface Alarm {
  /** The time to ring at, ms since 1970; undefined: never. It replaces the time before. */
  set(at: number | undefined): void;
  stop(): void;
}

/** The alarm rings at least this often while it is set: somebody may set the clock in between. */
const LONGEST_MS = 3_600_000;
/** After a ring that failed. */
const AGAIN_MS = 10_000;

/** Rings by the wall clock. `ring` sets the alarm anew; when it rejects, the alarm rings again soon. */
export function createAlarm(clock: Clock, delay: Delay, ring: () => Promise<void>): Alarm {
  let callOff: () => void = () => undefined;
  let stopped = false;

  function wait(ms: number): void {
    callOff();
    if (!stopped) callOff = delay(ms, ringNow);
  }

  function ringNow(): void {
    ring().catch(() => {
      wait(AGAIN_MS);
    });
  }

  return {
    set: (at) => {
      callOff();
      if (at !== undefined) wait(Math.min(Math.max(at - clock.now(), 0), LONGEST_MS));
    },
    stop: () => {
      stopped = true;
      callOff();
    },
  };
}
