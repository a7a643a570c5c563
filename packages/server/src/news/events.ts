import type { Log } from '@srup/node';
import type { FleetEvent } from '../api/forms/events.ts';
import { CORE_CATALOGUE, columnsWithout } from '../store/catalogue.ts';
import { atMost, prepare } from '../store/prepared.ts';
import { prepareRows, type Given } from '../store/rows.ts';
import type { Store, Read, Write } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Events that are kept for listeners that come back and ask for what they missed. */
export const EVENTS_KEPT = 20_000;
/** Events between two deletions of the oldest ones. */
const EVENTS_CUT = 200;
/** Events read at once for one listener. */
const EVENTS_AT_ONCE = 200;

type WithoutPlace<Event> = Event extends unknown ? Omit<Event, 'seq' | 'at'> : never;
/** An event that has no place in the order yet. */
export type News = WithoutPlace<FleetEvent>;

/** An event that is to be stored, and when it happened, ms since 1970. */
export interface NewEvent {
  readonly at: number;
  readonly news: News;
}

const insertEvents = prepareRows(
  columnsWithout('seq', CORE_CATALOGUE.events),
  (write: Write<CoreTables>, given: Given<{ readonly at: number; readonly event: string }>) =>
    write.insertInto('events').columns(given.columns).expression(given.rows).returning('seq'),
);
const selectEvents = prepare((store, p: { readonly after: number }) =>
  store
    .selectFrom('events')
    .selectAll()
    .where('seq', '>', p.after)
    .orderBy('seq')
    .limit(atMost(EVENTS_AT_ONCE)),
);

/**
 * Adds events in the transaction of what happened. So there is no event without its cause, and none is lost.
 *
 * @returns the place of the last one, if there are any
 *
 * @example
 * await store.commit((write) => addEvents(write, [{ at: now, news: { kind: 'device', device: viewDevice(row) } }]));
 */
export async function addEvents(
  write: Write<CoreTables>,
  events: readonly NewEvent[],
): Promise<number | undefined> {
  if (events.length === 0) return undefined;
  const rows = events.map(({ at, news }) => ({ at, event: JSON.stringify(news) }));
  const places = (await insertEvents(write, rows)).map(({ seq }) => seq);
  // Places can have gaps, so now and then is enough, and how many there are is counted.
  if (places.some((place) => place % EVENTS_CUT === 0)) await cutEvents(write);
  return Math.max(...places);
}

async function cutEvents(write: Write<CoreTables>): Promise<void> {
  const last = await write
    .selectFrom('events')
    .select('seq')
    .orderBy('seq', 'desc')
    .limit(1)
    .offset(EVENTS_KEPT)
    .executeTakeFirst();
  if (last !== undefined) await write.deleteFrom('events').where('seq', '<=', last.seq).execute();
}

export interface Events {
  /** Calls the listener with each event from now on, or after place `since`. Returns a function that stops it. */
  watch(listener: (event: FleetEvent) => void, since?: number): () => void;
  stop(): void;
}

/** A listener, which reads at its own pace. */
interface Watcher {
  readonly listener: (event: FleetEvent) => void;
  /** The place of the last event that it got. */
  seen: number;
  isReading: boolean;
}

/**
 * Opens the events. All of them are read from the store, live ones too. So they come in order and without gaps, before
 * and after a restart.
 *
 * @example
 * const stop = (await openEvents(store, log)).watch(({ seq, kind }) => console.log(seq, kind));
 */
export async function openEvents(store: Store<CoreTables>, log: Log): Promise<Events> {
  const watchers = new Set<Watcher>();
  let last = await lastEvent(store.read);
  const stopListening = store.listen('events', (place) => {
    last = Math.max(last, place);
    for (const watcher of watchers) void bringUp(watcher);
  });

  async function bringUp(watcher: Watcher): Promise<void> {
    if (watcher.isReading) return;
    watcher.isReading = true;
    try {
      while (watcher.seen < last && watchers.has(watcher)) await tellPage(watcher);
    } catch (fault) {
      log.error({ err: fault }, 'events could not be read; listeners get them with the next one');
    } finally {
      watcher.isReading = false;
    }
  }

  async function tellPage(watcher: Watcher): Promise<void> {
    const { rows } = await selectEvents(store.read, { after: watcher.seen });
    if (rows.length === 0) watcher.seen = last;
    for (const { seq, at, event } of rows) {
      if (!watchers.has(watcher)) return;
      watcher.seen = seq;
      tellOne(watcher, { seq, at, ...(JSON.parse(event) as News) });
    }
  }

  function tellOne({ listener }: Watcher, event: FleetEvent): void {
    try {
      listener(event);
    } catch (fault) {
      log.error({ err: fault, seq: event.seq }, 'a listener failed');
    }
  }

  return {
    watch: (listener, since = last) => {
      // A place beyond the last one is of the database before a restore.
      const watcher: Watcher = { listener, seen: Math.min(since, last), isReading: false };
      watchers.add(watcher);
      void bringUp(watcher);
      return () => {
        watchers.delete(watcher);
      };
    },
    stop: () => {
      stopListening();
      watchers.clear();
    },
  };
}

async function lastEvent(store: Read<CoreTables>): Promise<number> {
  const row = await store
    .selectFrom('events')
    .select('seq')
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.seq ?? 0;
}
