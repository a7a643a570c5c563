import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock, Random } from '@srup/protocol';
import type { Store, Write } from '../src/store/port.ts';

/** What the first transaction of each commit fails with. */
class SharedFault extends Error {}

const work = new AsyncLocalStorage<true>();

/**
 * A store on which the work of every commit runs twice: its first transaction fails after the work, as one does that
 * is shared with other work. What work does beside reading, writing and returning, it does twice.
 */
export function failsOnce<Tables>(store: Store<Tables>): Store<Tables> {
  async function failWith(perform: (write: Write<Tables>) => Promise<unknown>): Promise<void> {
    const first = store.commit(async (write) => {
      await work.run(true, () => perform(write));
      throw new SharedFault();
    });
    await first.catch((fault: unknown) => {
      if (!(fault instanceof SharedFault)) throw fault;
    });
  }

  return {
    ...store,
    commit: async (perform, announce) => {
      await failWith(perform);
      return store.commit(perform, announce);
    },
    add: async (batch, piece, announce) => {
      await failWith((write) => batch(write, [piece]));
      return store.add(batch, piece, announce);
    },
  };
}

/** The same clock and random source, which fail the work of a commit that uses them: it would get other values twice. */
export function outsideOfWork(clock: Clock, random: Random): { clock: Clock; random: Random } {
  const guard = (name: string): void => {
    if (work.getStore()) throw new Error(`the work of a commit uses ${name}`);
  };
  return {
    clock: {
      now: () => (guard('the clock'), clock.now()),
      monotonic: () => (guard('the clock'), clock.monotonic()),
      isTrusted: () => (guard('the clock'), clock.isTrusted()),
    },
    random: {
      bytes: (count) => (guard('a random source'), random.bytes(count)),
      unit: () => (guard('a random source'), random.unit()),
    },
  };
}
