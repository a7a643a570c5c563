import type { Clock } from '../ports.ts';

export interface ManualClock extends Clock {
  /** Lets time pass, in milliseconds. */
  advance(ms: number): void;
  /** Steps the wall clock, as setting a clock does; the monotonic one goes on. */
  set(now: number): void;
  trust(trusted: boolean): void;
}

/** A clock that stands still until told. `now`: ms since 1970. */
export function manualClock(now: number): ManualClock {
  let wall = now;
  let elapsed = 0;
  let trusted = true;
  return {
    now: () => wall,
    monotonic: () => elapsed,
    isTrusted: () => trusted,
    advance(ms) {
      if (ms < 0) throw new RangeError('time does not run back');
      wall += ms;
      elapsed += ms;
    },
    set(next) {
      wall = next;
    },
    trust(next) {
      trusted = next;
    },
  };
}
