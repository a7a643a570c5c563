import type { Store } from '../src/store/port.ts';

/** What the first transaction of each commit fails with. */
class SharedFault extends Error {}

/**
 * A store on which the work of every commit runs twice: its first transaction fails after the work, as one does that
 * is shared with other work. What work does beside reading, writing and returning, it does twice.
 */
export function failsOnce<Tables>(store: Store<Tables>): Store<Tables> {
  return {
    ...store,
    commit: async (work, announce) => {
      const first = store.commit(async (write) => {
        await work(write);
        throw new SharedFault();
      });
      await first.catch((fault: unknown) => {
        if (!(fault instanceof SharedFault)) throw fault;
      });
      return store.commit(work, announce);
    },
  };
}
