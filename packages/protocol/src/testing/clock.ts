import type { Clock } from '../ports.ts';

export interface ManualClock extends Clock {
  /** Lets time pass, in milliseconds, and rings the timers that it passes. */
  advance(ms: number): void;
  /** Steps the wall clock, as setting a clock does. The monotonic clock and the timers are not affected. */
  set(now: number): void;
  trust(trusted: boolean): void;
  /** A timer: rings once when this many milliseconds have passed. Returns a function that calls it off. */
  readonly delay: (ms: number, ring: () => void) => () => void;
  /** The number of timers that are still waiting. */
  waiting(): number;
}

interface Timer {
  readonly at: number;
  readonly ring: () => void;
}

/**
 * A clock that stands still until a test moves it, and the timers that follow it. `now`: ms since 1970.
 *
 * Timers ring in the order of their times. Of two at the same time the older one rings first. Each sees the clock at
 * its own time. So a timer that starts another one within an advance sees that one ring too.
 *
 * @example
 * const clock = manualClock(Date.UTC(2026, 0, 1));
 * clock.delay(1_000, () => console.log(clock.monotonic()));
 * clock.advance(5_000); // prints 1000
 */
export function manualClock(now: number): ManualClock {
  let wall = now;
  let elapsed = 0;
  let trusted = true;
  let timers: Timer[] = [];

  function passTo(at: number): void {
    wall += at - elapsed;
    elapsed = at;
  }

  function takeDue(until: number): Timer | undefined {
    const [next] = timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
    timers = timers.filter((timer) => timer !== next);
    return next;
  }

  return {
    now: () => wall,
    monotonic: () => elapsed,
    isTrusted: () => trusted,
    advance(ms) {
      if (ms < 0) throw new RangeError('time does not run back');
      const until = elapsed + ms;
      for (let timer = takeDue(until); timer !== undefined; timer = takeDue(until)) {
        passTo(Math.max(timer.at, elapsed));
        timer.ring();
      }
      passTo(Math.max(until, elapsed));
    },
    set(next) {
      wall = next;
    },
    trust(next) {
      trusted = next;
    },
    delay(ms, ring) {
      const timer = { at: elapsed + Math.max(0, ms), ring };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    waiting: () => timers.length,
  };
}
