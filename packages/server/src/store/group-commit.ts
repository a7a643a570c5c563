import { DatabaseAway, isFaultOf, Ousted, OutcomeUnknown, StoreFault } from './fault.ts';
import type { Announced, Announcement, Batch, Store, StoreOptions, Work, Write } from './port.ts';
import type { Transact } from './transact.ts';

/** Pieces of work in one transaction. They share one sync to the disk; SQLite does nothing else meanwhile. */
const MOST_IN_ONE_COMMIT = 200;

/** A piece of work that waits. */
interface Waiting<Tables> {
  readonly batch: Batch<Tables, unknown, unknown>;
  readonly piece: unknown;
  /** Tells the owner of the work that it is on the disk. */
  done(value: unknown): void;
  fail(fault: unknown): void;
}

export interface GroupCommit<Tables> extends Pick<Store<Tables>, 'add' | 'commit' | 'listen'> {
  /** Calls those who listen. */
  readonly announce: (announcements: readonly Announcement[]) => void;
  /** Resolves when nothing waits to be committed. */
  readonly settle: () => Promise<void>;
}

function throwAside(fault: unknown): void {
  queueMicrotask(() => {
    throw fault;
  });
}

/**
 * Commits in groups: work that arrives while the database is busy waits for the next transaction and shares it. Pieces
 * of one batch that stand beside each other are written at one go. When a shared transaction fails, each piece is tried
 * again alone, so that one of them can't take the others down.
 *
 * What is told after a commit can't undo it: a listener or `onCommitted` that throws is reported to `onFault`, and
 * nothing is committed again.
 */
export function createGroupCommit<Tables>(
  transact: Transact<Tables>,
  { onCommitted = () => undefined, onFailed = () => undefined, onFault = throwAside }: StoreOptions = {},
): GroupCommit<Tables> {
  let waiting: Waiting<Tables>[] = [];
  let draining: Promise<void> | undefined;
  const listeners: Readonly<Record<Announced, Set<(place: number) => void>>> = {
    events: new Set(),
    errands: new Set(),
    recovered: new Set(),
  };

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting.slice(0, MOST_IN_ONE_COMMIT);
      waiting = waiting.slice(MOST_IN_ONE_COMMIT);
      if (!(await commitTogether(group))) for (const one of group) await commitAlone(one);
      // SQLite never waits, so without this no socket, timer or signature would get its turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    draining = undefined;
  }

  /** False: nothing of it is committed, and each piece should be tried alone. */
  async function commitTogether(group: readonly Waiting<Tables>[]): Promise<boolean> {
    if (group.length < 2) return false;
    try {
      tellAll(await performAll(group));
    } catch (fault) {
      // If it is committed after all, each would be stored twice.
      if (!(fault instanceof OutcomeUnknown)) return false;
      for (const one of group) one.fail(fault);
    }
    return true;
  }

  async function commitAlone(one: Waiting<Tables>): Promise<void> {
    try {
      tellAll(await performAll([one]));
    } catch (cause) {
      if (isRefused(cause)) onFailed();
      one.fail(faultFor(cause));
    }
  }

  /** Rejects when nothing was committed. Else gives what is to be told now. */
  async function performAll(group: readonly Waiting<Tables>[]): Promise<readonly (() => void)[]> {
    const begun = performance.now();
    const told = await transact(async (write) => {
      const all: (() => void)[] = [];
      for (const run of runsIn(group)) all.push(...(await performRun(write, run)));
      return all;
    });
    const ms = performance.now() - begun;
    return [
      () => {
        onCommitted(ms);
      },
      ...told,
    ];
  }

  function tellAll(told: readonly (() => void)[]): void {
    for (const tell of told) {
      try {
        tell();
      } catch (fault) {
        onFault(fault);
      }
    }
  }

  function announce(announcements: readonly Announcement[]): void {
    tellAll(
      announcements.flatMap(({ of, place }) =>
        [...listeners[of]].map((listener) => () => {
          listener(place);
        }),
      ),
    );
  }

  function add<Piece, Value>(
    batch: Batch<Tables, Piece, Value>,
    piece: Piece,
    announcementsOf: (value: Value) => readonly Announcement[] = () => [],
  ): Promise<Value> {
    return new Promise<Value>((resolve, reject) => {
      waiting.push({
        batch: batch as Batch<Tables, unknown, unknown>,
        piece,
        done: (value) => {
          resolve(value as Value);
          announce(announcementsOf(value as Value));
        },
        fail: reject,
      });
      draining ??= drain();
    });
  }

  return {
    add,
    commit: <Value>(work: Work<Tables, Value>, announcementsOf?: (value: Value) => readonly Announcement[]) =>
      add(inTurn as Batch<Tables, Work<Tables, Value>, Value>, work, announcementsOf),
    listen: (of, listener) => {
      listeners[of].add(listener);
      return () => {
        listeners[of].delete(listener);
      };
    },
    announce,
    settle: async () => {
      while (draining !== undefined) await draining;
    },
  };
}

/** The batch of work that shares nothing: one piece after the other. */
async function inTurn<Tables>(
  write: Write<Tables>,
  works: readonly Work<Tables, unknown>[],
): Promise<readonly unknown[]> {
  const values: unknown[] = [];
  for (const work of works) values.push(await work(write));
  return values;
}

async function performRun<Tables>(
  write: Write<Tables>,
  run: readonly Waiting<Tables>[],
): Promise<readonly (() => void)[]> {
  const [first] = run as [Waiting<Tables>];
  const values = await first.batch(
    write,
    run.map(({ piece }) => piece),
  );
  return run.map((one, index) => () => {
    one.done(values[index]);
  });
}

/** Pieces of one batch that stand beside each other. */
function runsIn<Tables>(group: readonly Waiting<Tables>[]): readonly (readonly Waiting<Tables>[])[] {
  const runs: Waiting<Tables>[][] = [];
  for (const one of group) {
    const last = runs.at(-1);
    if (last?.[0]?.batch === one.batch) last.push(one);
    else runs.push([one]);
  }
  return runs;
}

/** The database is there, and does not take the work. */
function isRefused(fault: unknown): boolean {
  const others = [DatabaseAway, OutcomeUnknown, Ousted];
  return fault instanceof StoreFault && !others.some((kind) => isFaultOf(fault, kind));
}

/** If a mistake of the work were a fault of the store, the broker would bring the message again for ever. */
function faultFor(cause: unknown): unknown {
  if (!(cause instanceof StoreFault) || cause instanceof OutcomeUnknown) return cause;
  return new StoreFault(`the state could not be stored: ${cause.message}`, { cause });
}
