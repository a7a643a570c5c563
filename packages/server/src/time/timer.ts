import type { Delay, Log } from '@srup/node';
import type { Clock } from '@srup/protocol';

/** The longest time between two looks at the store, in milliseconds, because the clock can be set. */
const LONGEST_SLEEP_MS = 60_000;
/** The shortest time between two looks at the store, in milliseconds, however much is due. */
const SHORTEST_SLEEP_MS = 50;
/** Time before the next look after the store failed, in milliseconds. */
const RETRY_MS = 1_000;

/** What is due, and when. It is read from the store each time, so it survives a restart. */
export interface Agenda {
  /** When something is due next, ms since 1970; undefined: nothing is. */
  next(): Promise<number | undefined>;
  /** Does what is due, or begins it. */
  ring(now: number): Promise<void>;
}

export interface TimerPorts {
  readonly clock: Clock;
  readonly delay: Delay;
  readonly log: Log;
}

export interface Timer {
  start(agenda: Agenda): void;
  /** Says that something is due at this time, ms since 1970. Before the start it does nothing, as `start` looks. */
  nudge(at: number): void;
  stop(): void;
}

/**
 * Makes a timer that rings its agenda when something is due.
 *
 * @example
 * const timer = createTimer({ clock, delay, log });
 * timer.start(agenda);
 * timer.nudge(clock.now() + 5_000); // look again in five seconds
 */
export function createTimer({ clock, delay, log }: TimerPorts): Timer {
  let running: Agenda | undefined;
  let isRinging = false;
  let armed: { readonly at: number; readonly callOff: () => void } | undefined;
  /** The nearest time that a nudge named while it rang. */
  let nudged = Infinity;

  function arm(at: number, agenda: Agenda): void {
    armed?.callOff();
    const wait = Math.min(Math.max(at - clock.now(), SHORTEST_SLEEP_MS), LONGEST_SLEEP_MS);
    armed = { at, callOff: delay(wait, () => void ring(agenda)) };
  }

  async function ring(agenda: Agenda): Promise<void> {
    armed = undefined;
    isRinging = true;
    nudged = Infinity;
    let next: number;
    try {
      await agenda.ring(clock.now());
      next = (await agenda.next()) ?? Infinity;
    } catch (fault) {
      log.error({ err: fault }, 'what is due could not be done; the server retries');
      next = clock.now() + RETRY_MS;
    }
    isRinging = false;
    if (running !== undefined) arm(Math.min(next, nudged), agenda);
  }

  return {
    start: (agenda) => {
      running = agenda;
      arm(0, agenda);
    },
    nudge: (at) => {
      if (running === undefined) return;
      if (isRinging) nudged = Math.min(nudged, at);
      else if (armed !== undefined && at < armed.at) arm(at, running);
    },
    stop: () => {
      running = undefined;
      armed?.callOff();
    },
  };
}
