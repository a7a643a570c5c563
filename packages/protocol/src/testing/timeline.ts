import { manualClock, type ManualClock } from './clock.ts';

type Happening = () => void | Promise<void>;

/** Virtual time: things happen one after another, each at its time. */
export interface Timeline {
  readonly clock: ManualClock;
  /** Milliseconds since the beginning. */
  elapsed(): number;
  after(ms: number, happening: Happening): void;
  /** Runs until nothing is left to happen, or until this many milliseconds since the beginning. */
  run(untilMs: number): Promise<void>;
}

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly happening: Happening;
}

/** Makes a timeline that begins at `start`, ms since 1970. */
export function createTimeline(start: number): Timeline {
  const clock = manualClock(start);
  const waiting: Entry[] = [];
  let order = 0;
  return {
    clock,
    elapsed: () => clock.monotonic(),
    after(ms, happening) {
      waiting.push({ at: clock.monotonic() + Math.max(0, Math.round(ms)), order: order++, happening });
    },
    async run(untilMs) {
      for (;;) {
        const next = takeFirst(waiting, untilMs);
        if (next === undefined) return;
        clock.advance(next.at - clock.monotonic());
        await next.happening();
      }
    },
  };
}

/** The first thing to happen. Of two at the same time it is the one that was planned first. */
function takeFirst(waiting: Entry[], untilMs: number): Entry | undefined {
  let first = 0;
  for (let at = 1; at < waiting.length; at++) {
    if (isBefore(waiting[at] as Entry, waiting[first] as Entry)) first = at;
  }
  const entry = waiting[first];
  if (entry === undefined || entry.at > untilMs) return undefined;
  waiting.splice(first, 1);
  return entry;
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
