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

function throwAside(fault: unknown): void {
  queueMicrotask(() => {
    throw fault;
  });
}

export interface GroupCommitOptions {
  /** Gets the milliseconds that each transaction took. */
  readonly onCommitted?: ((ms: number) => void) | undefined;
  /** Gets what a listener threw. By default it is thrown where nobody catches it: it is a mistake of the program. */
  readonly onFault?: ((fault: unknown) => void) | undefined;
}

/**
 * Commits in groups: work that arrives while the disk is busy waits for the next transaction and shares it. When a
 * shared transaction fails, each piece is tried again alone, so that one of them can't take the others down.
 *
 * What is told after a commit can't undo it: a listener or `onCommitted` that throws is reported to `onFault`, and
 * nothing is committed again.
 */
export function createGroupCommit<Tables>(
  database: Kysely<Tables>,
  { onCommitted = () => undefined, onFault = throwAside }: GroupCommitOptions = {},
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
    return performAll(batch).then(tellAll, () => false);
  }

  async function commitAlone(work: Waiting<Tables>): Promise<void> {
    try {
      tellAll(await performAll([work]));
    } catch (cause) {
      // If a mistake of the work were a fault of the store, the broker would bring the message again for ever.
      const isStores = cause instanceof StoreFault;
      work.fail(
        isStores ? new StoreFault(`the state could not be stored: ${cause.message}`, { cause }) : cause,
      );
    }
  }

  /** Rejects when nothing was committed. Else gives what is to be told now. */
  async function performAll(batch: readonly Waiting<Tables>[]): Promise<readonly (() => void)[]> {
    const begun = performance.now();
    const committed = await database.transaction().execute(async (transaction) => {
      const told: (() => void)[] = [];
      for (const work of batch) told.push(await work.perform(transaction));
      return told;
    });
    const ms = performance.now() - begun;
    return [
      () => {
        onCommitted(ms);
      },
      ...committed,
    ];
  }

  function tellAll(told: readonly (() => void)[]): true {
    for (const tell of told) {
      try {
        tell();
      } catch (fault) {
        onFault(fault);
      }
    }
    return true;
  }

  function tellListeners(announcements: readonly Announcement[]): void {
    tellAll(
      announcements.flatMap(({ of, place }) =>
        [...listeners[of]].map((listener) => () => {
          listener(place);
        }),
      ),
    );
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
