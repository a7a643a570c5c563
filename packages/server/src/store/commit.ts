import type { Kysely, Transaction } from 'kysely';

/** Pieces of work in one transaction: they share one sync to disk, and the process does nothing else meanwhile. */
const MOST_IN_ONE_COMMIT = 100;

/** The state could not be committed (`EFFECT_STORE`): nothing was changed, and the transport is told nothing. */
export class StoreFault extends Error {
  override readonly name = 'StoreFault';
  readonly code = 'EFFECT_STORE';
}

/** SQLite's SQLITE_CONSTRAINT, the low byte of its codes: what was to be stored is wrong, and always will be. */
const CONSTRAINT = 19;

/** Also for a reading that failed: the way to the disk is broken, not the message. */
export function isStoreFault(fault: unknown): boolean {
  if (fault instanceof StoreFault) return true;
  if (!(fault instanceof Error) || !('code' in fault)) return false;
  if (fault.code === 'ERR_INVALID_STATE') return true;
  return fault.code === 'ERR_SQLITE_ERROR' && !isConstraint(fault);
}

function isConstraint(fault: Error): boolean {
  return 'errcode' in fault && typeof fault.errcode === 'number' && (fault.errcode & 0xff) === CONSTRAINT;
}

type Work<Tables, Value> = (transaction: Transaction<Tables>) => Promise<Value>;

/** Resolves when the work is on disk. Rejects when it isn't and never will be: with StoreFault, or as the work did. */
export type Commit<Tables> = <Value>(work: Work<Tables, Value>) => Promise<Value>;

interface Waiting<Tables> {
  /** Does the work; returns what tells its owner that it is on disk. */
  perform(transaction: Transaction<Tables>): Promise<() => void>;
  fail(fault: unknown): void;
}

/**
 * Work that arrives while the disk is busy waits for the next transaction and shares it. In a transaction that
 * fails, each piece is tried again alone, so that one of them can't take the others down. `onCommitted`: how long a
 * transaction took, in milliseconds.
 */
export function createCommit<Tables>(
  store: Kysely<Tables>,
  onCommitted: (ms: number) => void = () => undefined,
): Commit<Tables> {
  let waiting: Waiting<Tables>[] = [];
  let isBusy = false;

  async function drain(): Promise<void> {
    isBusy = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, MOST_IN_ONE_COMMIT);
      waiting = waiting.slice(MOST_IN_ONE_COMMIT);
      if (!(await commitTogether(batch))) for (const work of batch) await commitAlone(work);
      // SQLite never waits, so nothing else would get its turn: no socket, no timer, no signature.
      await new Promise((resolve) => setImmediate(resolve));
    }
    isBusy = false;
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
      // Called a fault of the store, the message would be brought again for ever.
      if (!isStoreFault(cause)) {
        work.fail(cause);
        return;
      }
      const why = cause instanceof Error ? cause.message : String(cause);
      work.fail(new StoreFault(`the state could not be stored: ${why}`, { cause }));
    }
  }

  async function performAll(batch: readonly Waiting<Tables>[]): Promise<void> {
    const begun = performance.now();
    const committed = await store.transaction().execute(async (transaction) => {
      const told: (() => void)[] = [];
      for (const work of batch) told.push(await work.perform(transaction));
      return told;
    });
    onCommitted(performance.now() - begun);
    for (const tell of committed) tell();
  }

  return (work) =>
    new Promise((resolve, reject) => {
      waiting.push({
        perform: async (transaction) => {
          const value = await work(transaction);
          return () => {
            resolve(value);
          };
        },
        fail: reject,
      });
      if (!isBusy) void drain();
    });
}
