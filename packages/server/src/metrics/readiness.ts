import { within, type Delay } from '@srup/node';
import type { Clock } from '@srup/protocol';
import { DatabaseAway, isFaultOf, Ousted, OutcomeUnknown } from '../store/fault.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import type { Store } from '../store/port.ts';
import { writeSetting } from '../store/settings.ts';

/** Says what keeps the server from doing its work now, in words without secrets; empty when nothing does. */
export type Readiness = () => Promise<readonly string[]>;

/** Milliseconds for which an answer is kept: anybody may ask, and each trial costs a write to the disk. */
const HOLDS_MS = 2_000;
/** A database that takes longer than this many milliseconds does not do its work. */
const PATIENCE_MS = 8_000;
/** Milliseconds for which a failure to store work is reported: the trial here is small, so it fits even on a full disk. */
const RECENTLY_MS = 30_000;

export interface ReadinessPorts {
  readonly store: Store<CoreTables>;
  readonly clock: Clock;
  readonly delay: Delay;
  readonly isConnected: () => boolean;
  /** When storing work failed last, by the monotonic clock; undefined if that never happened. */
  readonly failedAt: () => number | undefined;
  /** Rejects when the key service can't read its database. */
  readonly askKeyService: () => Promise<unknown>;
}

const SLOW = 'the database did not answer';

function reasonOf(fault: unknown): string | undefined {
  if (fault instanceof Error && fault.message.startsWith(SLOW)) return fault.message;
  if (isFaultOf(fault, Ousted)) {
    return 'another server uses the database now, or it went back in time; this server takes nothing any more: its log says what to do';
  }
  return isFaultOf(fault, DatabaseAway) || isFaultOf(fault, OutcomeUnknown)
    ? 'the database is away; nothing is taken until it is back'
    : undefined;
}

export function createReadiness({
  store,
  clock,
  delay,
  isConnected,
  failedAt,
  askKeyService,
}: ReadinessPorts): Readiness {
  let last: { readonly at: number; readonly trials: Promise<string[]> } | undefined;

  async function tryAll(): Promise<string[]> {
    const fails = (trial: Promise<unknown>, reason: string): Promise<string[]> =>
      within(delay, PATIENCE_MS, trial, SLOW).then(
        () => [],
        (fault: unknown) => [reasonOf(fault) ?? reason],
      );
    const value = String(clock.now());
    const writing = store.commit((write) => writeSetting(write, 'readiness', value));
    const asking = askKeyService();
    asking.catch(() => undefined);
    const reasons = [
      ...(await fails(writing, 'the database cannot be written: is the disk full or read-only?')),
      ...(await fails(asking, "the key service's database cannot be read")),
    ];
    const failed = failedAt();
    if (reasons.length === 0 && failed !== undefined && clock.monotonic() - failed < RECENTLY_MS)
      reasons.push('the database could not store all that it was given: is its disk full? The log says why');
    return [...new Set(reasons)];
  }

  return async () => {
    const now = clock.monotonic();
    if (last === undefined || now - last.at > HOLDS_MS) last = { at: now, trials: tryAll() };
    const reasons = await last.trials;
    return isConnected() ? reasons : [...reasons, 'the broker is not connected; messages wait until it is'];
  };
}
