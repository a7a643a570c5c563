import type { Clock } from '@srup/protocol';
import type { Delay, Log } from '../turn/deps.ts';

/** The clock may be set: look again at least so often. Milliseconds. */
const LONGEST_SLEEP_MS = 60_000;
/** Between two looks at the store, however much is due. Milliseconds. */
const SHORTEST_SLEEP_MS = 50;
/** After the store failed. Milliseconds. */
const RETRY_MS = 1_000;

export interface Agenda {
  /** The nearest time that something is due, ms since 1970; undefined for nothing. */
  next(): Promise<number | undefined>;
  /** Does what is due, or begins it. */
  ring(now: number): Promise<void>;
}

interface Surroundings {
  readonly clock: Clock;
  readonly delay: Delay;
  readonly log: Log;
}

export interface Timer {
  start(): void;
  /** Something is due at this time, ms since 1970. */
  nudge(at: number): void;
  stop(): void;
}

/** Rings when the store says that something is due: what is owed survives a restart, because nothing else holds it. */
export function createTimer(agenda: Agenda, { clock, delay, log }: Surroundings): Timer {
  let isRunning = false;
  let isRinging = false;
  let armed: { readonly at: number; readonly callOff: () => void } | undefined;
  /** Nudged while ringing. */
  let nudged = Infinity;

  function arm(at: number): void {
    armed?.callOff();
    const wait = Math.min(Math.max(at - clock.now(), SHORTEST_SLEEP_MS), LONGEST_SLEEP_MS);
    armed = { at, callOff: delay(wait, () => void ring()) };
  }

  async function ring(): Promise<void> {
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
    if (isRunning) arm(Math.min(next, nudged));
  }

  return {
    start: () => {
      isRunning = true;
      arm(0);
    },
    nudge: (at) => {
      if (!isRunning) return;
      if (isRinging) nudged = Math.min(nudged, at);
      else if (armed !== undefined && at < armed.at) arm(at);
    },
    stop: () => {
      isRunning = false;
      armed?.callOff();
    },
  };
}
