/** What a device remembers of finished tokens, and what it may forget (P 6.4). */
import type { TokenKey } from '../token.ts';
import type { DeviceMemory, Finished } from './device-state.ts';
import type { Moment } from './step.ts';

/** Finished tokens are kept at least this long, and at least this many of them (P 6.4). */
export const FINISHED_MS = 30 * 24 * 60 * 60 * 1000;
export const MIN_FINISHED = 256;
/** Most that are kept at all: a bound of memory, whatever the server does. */
export const MAX_FINISHED = 10_000;

type Entry = readonly [TokenKey, Finished];

/** The memory of one device. Its size does not change what `get` and `remember` cost. */
export interface KeptMemory extends DeviceMemory {
  readonly size: number;
  /**
   * Takes what a step finished, after it was committed. Gives the tokens that are forgotten for it: the store may drop
   * them with the next commit, as to know too much does no harm.
   */
  remember(finished: readonly Entry[], moment: Moment): TokenKey[];
  entries(): Entry[];
}

/**
 * A memory that begins with these entries, in any order.
 *
 *     const memory = createMemory([]);
 *     memory.remember(step.finished, moment);
 *     memory.get(token)?.result; // 'done'
 */
export function createMemory(remembered: Iterable<Entry>): KeptMemory {
  // The newest 256 stay whatever their age. Those without an age stand apart, or they would hide old ones behind them.
  const recent = createShelf();
  const dated = createShelf();
  const undated = createShelf();
  let newest = 0;

  const get = (token: TokenKey) => recent.get(token) ?? dated.get(token) ?? undated.get(token);
  const size = () => recent.size() + dated.size() + undated.size();

  function add([token, finished]: Entry): void {
    for (const shelf of [recent, dated, undated]) shelf.take(token);
    recent.put(token, finished);
    newest = Math.max(newest, finished.at);
    if (recent.size() <= MIN_FINISHED) return;
    const [oldest, it] = recent.takeOldest();
    (it.undated === true ? undated : dated).put(oldest, it);
  }

  /** Drops the oldest beyond 10,000, and what is older than 30 days beyond the newest 256. */
  function forget({ now, trusted }: Moment): TokenKey[] {
    const forgotten: TokenKey[] = [];
    const drop = (shelf: Shelf) => forgotten.push(shelf.takeOldest()[0]);
    while (size() > MAX_FINISHED) drop(dated.since() < undated.since() ? dated : undated);
    // An unset clock knows no age: a device that wakes up in 2099 must not forget all.
    while (trusted && now - dated.since() > FINISHED_MS) drop(dated);
    return forgotten;
  }

  for (const entry of [...remembered].sort(([, a], [, b]) => a.at - b.at)) add(entry);
  return {
    get,
    get newest() {
      return newest;
    },
    get size() {
      return size();
    },
    remember: (finished, moment) => {
      const forgotten = finished.flatMap((entry) => {
        add(entry);
        return forget(moment);
      });
      return forgotten.filter((token) => get(token) === undefined);
    },
    entries: () => [...undated.entries(), ...dated.entries(), ...recent.entries()],
  };
}

interface Shelf {
  get(token: TokenKey): Finished | undefined;
  size(): number;
  /** Puts it behind all others. */
  put(token: TokenKey, finished: Finished): void;
  take(token: TokenKey): void;
  /** RangeError when the shelf is empty. */
  takeOldest(): Entry;
  /** When the oldest was finished; Infinity when the shelf is empty. */
  since(): number;
  entries(): Iterable<Entry>;
}

/** A map that remembers its oldest entry: to look for it would take a step for each one that was taken before. */
function createShelf(): Shelf {
  const map = new Map<TokenKey, Finished>();
  let order = map.entries();
  let oldest: Entry | undefined;

  function take(token: TokenKey): void {
    map.delete(token);
    if (oldest?.[0] === token) oldest = order.next().value;
  }

  return {
    get: (token) => map.get(token),
    size: () => map.size,
    put: (token, finished) => {
      map.set(token, finished);
      if (oldest !== undefined) return;
      order = map.entries();
      oldest = order.next().value;
    },
    take,
    takeOldest: () => {
      if (oldest === undefined) throw new RangeError('nothing is left to forget');
      const entry = oldest;
      take(entry[0]);
      return entry;
    },
    since: () => oldest?.[1].at ?? Infinity,
    entries: () => map,
  };
}
