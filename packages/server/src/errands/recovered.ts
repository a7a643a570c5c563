/** What goes on when the database is there again after it was away. */
import type { Clock } from '@srup/protocol';
import type { Store } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/**
 * Announces the newest event and the errands again: those whose commit seemed to fail were announced to nobody. It runs
 * in a commit, after all that was under way.
 *
 * @example
 * store.listen('recovered', () => void announceNewest(store, clock));
 */
export async function announceNewest(store: Store<CoreTables>, clock: Pick<Clock, 'now'>): Promise<void> {
  const now = clock.now();
  await store.commit(
    async (write) => {
      const newest = write.selectFrom('events').select('seq').orderBy('seq', 'desc').limit(1);
      return (await newest.executeTakeFirst())?.seq ?? 0;
    },
    (place) => [
      { of: 'events', place },
      { of: 'errands', place: now },
    ],
  );
}
