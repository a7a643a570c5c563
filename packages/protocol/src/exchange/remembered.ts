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
  // Each holds its oldest entry first. The newest 256 stay whatever their age. Those without an age stand apart, or
  // they would hide old ones behind them.
  const recent = new Map<TokenKey, Finished>();
  const dated = new Map<TokenKey, Finished>();
  const undated = new Map<TokenKey, Finished>();
  let newest = 0;

  const get = (token: TokenKey) => recent.get(token) ?? dated.get(token) ?? undated.get(token);
  const size = () => recent.size + dated.size + undated.size;

  function add([token, finished]: Entry): void {
    for (const part of [recent, dated, undated]) part.delete(token);
    recent.set(token, finished);
    newest = Math.max(newest, finished.at);
    if (recent.size <= MIN_FINISHED) return;
    const [oldest, it] = first(recent) as Entry;
    recent.delete(oldest);
    (it.undated === true ? undated : dated).set(oldest, it);
  }

  /** Drops the oldest beyond 10,000, and what is older than 30 days beyond the newest 256. */
  function* forget({ now, trusted }: Moment): Generator<TokenKey> {
    while (size() > MAX_FINISHED) yield dropFrom(atOf(dated) < atOf(undated) ? dated : undated);
    // An unset clock knows no age: a device that wakes up in 2099 must not forget all.
    while (trusted && now - atOf(dated) > FINISHED_MS) yield dropFrom(dated);
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
        return [...forget(moment)];
      });
      return forgotten.filter((token) => get(token) === undefined);
    },
    entries: () => [...undated, ...dated, ...recent],
  };
}

function first(part: ReadonlyMap<TokenKey, Finished>): Entry | undefined {
  return part.entries().next().value;
}

/** Of the oldest entry; Infinity when there is none. */
function atOf(part: ReadonlyMap<TokenKey, Finished>): number {
  return first(part)?.[1].at ?? Infinity;
}

function dropFrom(part: Map<TokenKey, Finished>): TokenKey {
  const [token] = first(part) as Entry;
  part.delete(token);
  return token;
}
