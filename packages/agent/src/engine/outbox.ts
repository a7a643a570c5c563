import type { Log } from '../log.ts';
import { reasonOf } from '../ground/trouble.ts';
import { tokenPrefix } from './refusals.ts';
import type { OutboxEntry } from './records.ts';

/** Sends one message; resolves when the broker has it. */
export type Publish = (topic: string, bytes: Uint8Array) => Promise<void>;

/** Committed messages that the broker does not have yet, and their way out: one at a time, in order. */
export interface Outbox {
  /** Takes what was committed. */
  add(entries: readonly OutboxEntry[]): void;
  /** Forgets what was removed by a commit. */
  drop(numbers: ReadonlySet<number>): void;
  entries(): readonly OutboxEntry[];
  nextNumber(): number;
  bytes(): number;
  /** From now on there is a connection (or none). */
  connect(publish: Publish | undefined): void;
  /** Resolves when nothing with this token is waiting, or after the time. Without a token: when nothing is. */
  sent(withinMs: number, token?: string): Promise<void>;
}

/** Tries after which a message lets the others pass: one that a broker never takes must not stop them. */
const TRIES_IN_TURN = 3;

interface Waiting {
  readonly entry: OutboxEntry;
  failures: number;
}

/** `onSent`: called with each number that the broker acknowledged, to be removed by a commit. */
export function makeOutbox(initial: readonly OutboxEntry[], onSent: (n: number) => void, log: Log): Outbox {
  let waiting: Waiting[] = initial.map((entry) => ({ entry, failures: 0 }));
  let last = initial.at(-1)?.n ?? 0;
  let publish: Publish | undefined;
  let pumping = false;
  const listeners = new Set<() => void>();

  /** The oldest of those that failed least. */
  function next(): Waiting | undefined {
    const turns = ({ failures }: Waiting) => Math.floor(failures / TRIES_IN_TURN);
    const least = Math.min(...waiting.map(turns));
    return waiting.find((one) => turns(one) === least);
  }

  async function pump(): Promise<void> {
    if (pumping) return;
    pumping = true;
    for (;;) {
      const current = publish;
      const one = next();
      if (current === undefined || one === undefined) break;
      try {
        await current(one.entry.topic, one.entry.bytes);
        waiting = waiting.filter((other) => other !== one);
        onSent(one.entry.n);
        for (const listen of listeners) listen();
      } catch (error) {
        one.failures++;
        const { type, token } = one.entry;
        log.info({ type, token: tokenPrefix(token), reason: reasonOf(error) }, 'not sent yet');
        // The connection is gone or goes: the next one begins anew.
        if (publish === current) publish = undefined;
      }
    }
    pumping = false;
  }

  return {
    add: (entries) => {
      waiting.push(...entries.map((entry) => ({ entry, failures: 0 })));
      last = entries.at(-1)?.n ?? last;
      void pump();
    },
    drop: (numbers) => {
      waiting = waiting.filter(({ entry }) => !numbers.has(entry.n));
      for (const listen of listeners) listen();
    },
    entries: () => waiting.map(({ entry }) => entry),
    nextNumber: () => last + 1,
    bytes: () => waiting.reduce((sum, { entry }) => sum + entry.bytes.length, 0),
    connect: (to) => {
      publish = to;
      void pump();
    },
    sent: (withinMs, token) =>
      new Promise((resolve) => {
        const timer = setTimeout(done, withinMs);
        function done() {
          clearTimeout(timer);
          listeners.delete(check);
          resolve();
        }
        function check() {
          if (!waiting.some(({ entry }) => token === undefined || entry.token === token)) done();
        }
        listeners.add(check);
        check();
      }),
  };
}
