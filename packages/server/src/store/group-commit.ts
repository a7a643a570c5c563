import type { Kysely } from 'kysely';
import { StoreFault } from './fault.ts';
import type { Announced, Announcement, Store, Work, Write } from './port.ts';

/** Pieces of work in one transaction. They share one sync to the disk; the process does nothing else meanwhile. */
const MOST_IN_ONE_COMMIT = 100;

interface Waiting<Tables> {
  /** Does the work. Returns a function that tells the owner of the work that it is on the disk. */
  perform(write: Write<Tables>): Promise<() => void>;
  fail(fault: unknown): void;
}

export interface GroupCommit<Tables> {
  readonly commit: Store<Tables>['commit'];
  readonly listen: Store<Tables>['listen'];
  /** Resolves when nothing waits to be committed. */
  readonly settle: () => Promise<void>;
}

/**
 * Commits in groups: work that arrives while the disk is busy waits for the next transaction and shares it. When a
 * shared transaction fails, each piece is tried again alone, so that one of them can't take the others down.
 * @param onCommitted gets the milliseconds that each transaction took
 */
export function createGroupCommit<Tables>(
  database: Kysely<Tables>,
  onCommitted: (ms: number) => void = () => undefined,
): GroupCommit<Tables> {
  let waiting: Waiting<Tables>[] = [];
  let draining: Promise<void> | undefined;
  const listeners: Readonly<Record<Announced, Set<(place: number) => void>>> = {
    events: new Set(),
    errands: new Set(),
  };

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, MOST_IN_ONE_COMMIT);
      waiting = waiting.slice(MOST_IN_ONE_COMMIT);
      if (!(await commitTogether(batch))) for (const work of batch) await commitAlone(work);
      // SQLite never waits, so without this no socket, timer or signature would get its turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    draining = undefined;
  }

  async function commitTogether(batch: readonly Waiting<Tables>[]): Promise<boolean> {
    if (batch.length < 2) return false;
    return performAll(batch).then(
      () => true,
      () => false,
    );
  }

  async function commitAlone(work: Waiting<Tables>): Promise<void> {
    try {
      await performAll([work]);
    } catch (cause) {
      // If a mistake of the work were a fault of the store, the broker would bring the message again for ever.
      const isStores = cause instanceof StoreFault;
      work.fail(
        isStores ? new StoreFault(`the state could not be stored: ${cause.message}`, { cause }) : cause,
      );
    }
  }

  async function performAll(batch: readonly Waiting<Tables>[]): Promise<void> {
    const begun = performance.now();
    const committed = await database.transaction().execute(async (transaction) => {
      const told: (() => void)[] = [];
      for (const work of batch) told.push(await work.perform(transaction));
      return told;
    });
    onCommitted(performance.now() - begun);
    for (const tell of committed) tell();
  }

  function tellListeners(announcements: readonly Announcement[]): void {
    for (const { of, place } of announcements) for (const listener of listeners[of]) listener(place);
  }

  return {
    commit: <Value>(
      work: Work<Tables, Value>,
      announce: (value: Value) => readonly Announcement[] = () => [],
    ) =>
      new Promise<Value>((resolve, reject) => {
        waiting.push({
          perform: async (write) => {
            const value = await work(write);
            return () => {
              resolve(value);
              tellListeners(announce(value));
            };
          },
          fail: reject,
        });
        draining ??= drain();
      }),
    listen: (of, listener) => {
      listeners[of].add(listener);
      return () => {
        listeners[of].delete(listener);
      };
    },
    settle: async () => {
      while (draining !== undefined) await draining;
    },
  };
}
