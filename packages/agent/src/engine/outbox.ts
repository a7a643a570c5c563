import type { Delay, Log } from '@srup/node';
import { reasonOf } from '../ground/trouble.ts';
import type { OutboxEntry } from './records.ts';
import { tokenPrefix } from './refusals.ts';

/** Sends one message; resolves when the broker has it. */
export type Publish = (topic: string, bytes: Uint8Array) => Promise<void>;

/** Committed messages that the broker does not have yet. They leave one at a time, in order. */
export interface Outbox {
  /** Takes messages that were committed. */
  add(entries: readonly OutboxEntry[]): void;
  /** Forgets messages that a commit removed. */
  drop(numbers: ReadonlySet<number>): void;
  entries(): readonly OutboxEntry[];
  nextNumber(): number;
  count(): number;
  bytes(): number;
  /** From now on there is this connection; undefined: none. */
  connect(publish: Publish | undefined): void;
  /** Resolves when no message with this token waits, or after the time. Without a token: when none waits at all. */
  sent(withinMs: number, token?: string): Promise<void>;
}

export interface OutboxPorts {
  /** Called with the number of each message that the broker acknowledged, to be removed by a commit. */
  readonly onSent: (n: number) => void;
  readonly delay: Delay;
  readonly log: Log;
}

/** Tries after which a message lets the others pass: one that a broker never takes must not stop them. */
const TRIES_IN_TURN = 3;

interface Waiting {
  readonly entry: OutboxEntry;
  failures: number;
}

/** `initial`: what was committed before and never acknowledged, in order. */
export function createOutbox(initial: readonly OutboxEntry[], { onSent, delay, log }: OutboxPorts): Outbox {
  const waiting = new Set<Waiting>(initial.map((entry) => ({ entry, failures: 0 })));
  const listeners = new Set<() => void>();
  let bytes = initial.reduce((sum, { bytes: one }) => sum + one.length, 0);
  let last = initial.at(-1)?.n ?? 0;
  let publish: Publish | undefined;
  let pumping = false;

  /** The oldest of those that failed least. */
  function next(): Waiting | undefined {
    let best: Waiting | undefined;
    for (const one of waiting) {
      if (one.failures < TRIES_IN_TURN) return one;
      if (best === undefined || turns(one) < turns(best)) best = one;
    }
    return best;
  }

  function remove(one: Waiting): void {
    if (waiting.delete(one)) bytes -= one.entry.bytes.length;
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
        remove(one);
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
      for (const entry of entries) {
        waiting.add({ entry, failures: 0 });
        bytes += entry.bytes.length;
        last = entry.n;
      }
      void pump();
    },
    drop: (numbers) => {
      if (numbers.size === 0) return;
      for (const one of waiting) if (numbers.has(one.entry.n)) remove(one);
      for (const listen of listeners) listen();
    },
    entries: () => [...waiting].map(({ entry }) => entry),
    nextNumber: () => last + 1,
    count: () => waiting.size,
    bytes: () => bytes,
    connect: (to) => {
      publish = to;
      void pump();
    },
    sent: (withinMs, token) =>
      new Promise((resolve) => {
        const callOff = delay(withinMs, done);
        function done() {
          callOff();
          listeners.delete(check);
          resolve();
        }
        function check() {
          for (const { entry } of waiting) if (token === undefined || entry.token === token) return;
          done();
        }
        listeners.add(check);
        check();
      }),
  };
}

function turns({ failures }: Waiting): number {
  return Math.floor(failures / TRIES_IN_TURN);
}
