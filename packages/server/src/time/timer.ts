import type { Delay, Log } from '@srup/node';
import type { Clock } from '@srup/protocol';

/** The clock can be set: look again at least this often. Milliseconds. */
const LONGEST_SLEEP_MS = 60_000;
/** Between two looks at the store, however much is due. Milliseconds. */
const SHORTEST_SLEEP_MS = 50;
/** After the store failed. Milliseconds. */
const RETRY_MS = 1_000;

/** What is due, and when. It is read from the store each time: so it survives a restart. */
export interface Agenda {
  /** The nearest time that something is due, ms since 1970; undefined for nothing. */
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
  /** Says that something is due at this time, ms since 1970. Before the start it says nothing new. */
  nudge(at: number): void;
  stop(): void;
}

/** Rings the agenda when something is due. */
export function createTimer({ clock, delay, log }: TimerPorts): Timer {
  let running: Agenda | undefined;
  let isRinging = false;
  let armed: { readonly at: number; readonly callOff: () => void } | undefined;
  /** The nearest time that was named while it rang. */
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
      log.error({ err: fault }, 'what is due could not be done; it is tried again');
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
