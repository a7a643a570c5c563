import type { Clock } from '@srup/protocol';
import type { CoreTables } from '../store/schema/tables.ts';
import type { Store } from '../store/port.ts';
import { writeSetting } from '../store/settings.ts';

/** Says what keeps the server from doing its work now, in words without secrets; empty when nothing does. */
export type Readiness = () => Promise<readonly string[]>;

/** Milliseconds for which an answer is kept: anybody may ask, and each trial costs a write to the disk. */
const HOLDS_MS = 2_000;

export interface ReadinessPorts {
  readonly store: Store<CoreTables>;
  readonly clock: Clock;
  readonly isConnected: () => boolean;
  /** Rejects when the key service can't read its database. */
  readonly askKeyService: () => Promise<unknown>;
}

export function createReadiness({ store, clock, isConnected, askKeyService }: ReadinessPorts): Readiness {
  let last: { readonly at: number; readonly trials: Promise<string[]> } | undefined;

  async function tryAll(): Promise<string[]> {
    const fails = async (trial: Promise<unknown>, reason: string): Promise<string[]> =>
      trial.then(
        () => [],
        () => [reason],
      );
    const value = String(clock.now());
    const writing = store.commit((write) => writeSetting(write, 'readiness', value));
    return [
      ...(await fails(writing, 'the database cannot be written: is the disk full or read-only?')),
      ...(await fails(askKeyService(), "the key service's database cannot be read")),
    ];
  }

  return async () => {
    const now = clock.monotonic();
    if (last === undefined || now - last.at > HOLDS_MS) last = { at: now, trials: tryAll() };
    const reasons = await last.trials;
    return isConnected() ? reasons : [...reasons, 'the broker is not connected; messages wait until it is'];
  };
}
