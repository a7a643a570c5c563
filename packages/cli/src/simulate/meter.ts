/** What happened in a run, counted and timed. */

/** The steps of a device, in order; the time of each is kept. */
export const STEPS = ['keys', 'register', 'certify', 'connect', 'join', 'download'] as const;
export type Step = (typeof STEPS)[number];

/** Events that are counted: how often something happened, not how many devices are in a state. */
export const EVENTS = [
  'downloaded',
  'badDownloads',
  'switched',
  'reverted',
  'deferred',
  'actions',
  'data',
] as const;
export type Event = (typeof EVENTS)[number];

export interface StepTimes {
  readonly count: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p95: number;
}

export interface Meter {
  time(step: Step, milliseconds: number): void;
  count(event: Event): void;
  /** Counts a message that a device refused, by its code. */
  refused(code: string): void;
  /** Counts trouble by its reason: a connection that broke, a server that is busy. */
  trouble(reason: string): void;
  times(): Readonly<Partial<Record<Step, StepTimes>>>;
  events(): Readonly<Record<Event, number>>;
  refusals(): Readonly<Record<string, number>>;
  /** The reasons of trouble with their counts, the most frequent first. */
  troubles(): readonly (readonly [reason: string, count: number])[];
}

/** The most reasons that are kept apart. They can hold text from outside, so their number has a limit. */
const MAX_REASONS = 100;
const OTHERS = 'others';

export function createMeter(): Meter {
  const samples = new Map<Step, number[]>();
  const events = Object.fromEntries(EVENTS.map((event) => [event, 0])) as Record<Event, number>;
  const refusals: Record<string, number> = {};
  const troubles = new Map<string, number>();
  return {
    time: (step, milliseconds) => {
      const known = samples.get(step) ?? [];
      known.push(milliseconds);
      samples.set(step, known);
    },
    count: (event) => {
      events[event] += 1;
    },
    refused: (code) => {
      refusals[code] = (refusals[code] ?? 0) + 1;
    },
    trouble: (reason) => {
      const name = troubles.has(reason) || troubles.size < MAX_REASONS ? reason : OTHERS;
      troubles.set(name, (troubles.get(name) ?? 0) + 1);
    },
    times: () =>
      Object.fromEntries(
        STEPS.flatMap((step) => {
          const known = samples.get(step);
          return known === undefined ? [] : [[step, summary(known)]];
        }),
      ),
    events: () => ({ ...events }),
    refusals: () => ({ ...refusals }),
    troubles: () => [...troubles].sort(([, a], [, b]) => b - a),
  };
}

function summary(values: readonly number[]): StepTimes {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  return { count: values.length, p50: at(0.5), p95: at(0.95) };
}
