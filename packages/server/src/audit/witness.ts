import { backoffMs, type Log } from '@srup/node';
import type { Clock, Random } from '@srup/protocol';
import type { WitnessView } from '../api/forms/audit.ts';
import type { Store } from '../store/port.ts';
import type { WitnessRow } from '../store/schema/audit.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { deliver, shownPlace } from './deliver.ts';

const CHECKPOINTS_AT_ONCE = 100;
/** The delay before a witness is tried again. It doubles with each failure. */
const BACKOFF = { leastMs: 1_000, mostMs: 300_000 } as const;

/** A place outside the server that keeps its checkpoints, so that the server can't take them back. */
export interface Witness {
  view(): WitnessView;
  /** There is a new checkpoint. */
  nudge(): void;
  /** Brings what it can within this time, and ends. */
  stop(withinMs: number): Promise<void>;
}

export interface WitnessPorts {
  readonly store: Store<CoreTables>;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Pick<Random, 'unit'>;
  readonly log: Pick<Log, 'warn'>;
}

/** Marks these witnesses as the ones in use, and all others that were ever named as out of use. */
export async function nameWitnesses(store: Store<CoreTables>, places: readonly string[]): Promise<void> {
  await store.commit(async (write) => {
    await write.updateTable('audit_witnesses').set({ in_use: 0 }).execute();
    for (const place of places) {
      await write
        .insertInto('audit_witnesses')
        .values({ place, seq: 0, taken_at: null, trouble: null, in_use: 1 })
        .onConflict((conflict) => conflict.column('place').doUpdateSet({ in_use: 1 }))
        .execute();
    }
  });
}

/**
 * Opens a witness that `nameWitnesses` has named. It brings all checkpoints to the place, in order, from where it left
 * off. Nothing waits for it, and it retries what fails.
 *
 * @example
 * await nameWitnesses(store, ['https://witness.example/srup']);
 * const witness = await openWitness('https://witness.example/srup', { store, clock, random, log });
 * witness.nudge();
 */
export async function openWitness(place: string, ports: WitnessPorts): Promise<Witness> {
  const { store, clock, random, log } = ports;
  let state = await readState(store, place);
  let failures = 0;
  let failuresInTurn = 0;
  let running: Promise<void> | undefined;
  let retry: NodeJS.Timeout | undefined;
  let isStopped = false;
  const ending = new AbortController();

  async function bring(): Promise<void> {
    while (!ending.signal.aborted) {
      const rows = await store.read
        .selectFrom('audit_checkpoints')
        .selectAll()
        .where('seq', '>', state.seq)
        .orderBy('seq')
        .limit(CHECKPOINTS_AT_ONCE)
        .execute();
      const last = rows.at(-1);
      if (last === undefined) return;
      await deliver(place, rows, ending.signal);
      const taken = { seq: last.seq, taken_at: clock.now(), trouble: null };
      await writeState(store, place, taken);
      state = taken;
      failuresInTurn = 0;
    }
  }

  async function fail(fault: unknown): Promise<void> {
    if (ending.signal.aborted) return;
    const trouble = fault instanceof Error ? reasonOf(fault) : String(fault);
    state = { ...state, trouble };
    failures += 1;
    failuresInTurn += 1;
    const retryMs = Math.round(backoffMs(failuresInTurn, BACKOFF, random.unit()));
    log.warn({ place: shownPlace(place), trouble, retryMs }, 'a witness did not take the checkpoints');
    if (!isStopped) retry = setTimeout(nudge, retryMs).unref();
    await writeState(store, place, { trouble }).catch(() => undefined); // the disk is in trouble; the view shows it all the same
  }

  function nudge(): void {
    clearTimeout(retry);
    if (ending.signal.aborted) return;
    running ??= bring()
      .catch(fail)
      .finally(() => (running = undefined));
  }

  async function bringLast(): Promise<void> {
    // What runs may have read before the last checkpoint was made.
    await running;
    nudge();
    await running;
  }

  return {
    view: () => viewWitness(place, state, failures),
    nudge,
    stop: async (withinMs) => {
      isStopped = true;
      const end = new Promise<void>((resolve) => setTimeout(resolve, withinMs).unref());
      await Promise.race([bringLast(), end]);
      ending.abort();
      clearTimeout(retry);
    },
  };
}

type WitnessState = Pick<WitnessRow, 'seq' | 'taken_at' | 'trouble'>;

function readState(store: Store<CoreTables>, place: string): Promise<WitnessState> {
  return store.read
    .selectFrom('audit_witnesses')
    .select(['seq', 'taken_at', 'trouble'])
    .where('place', '=', place)
    .executeTakeFirstOrThrow();
}

async function writeState(
  store: Store<CoreTables>,
  place: string,
  state: Partial<WitnessState>,
): Promise<void> {
  await store.commit((write) =>
    write.updateTable('audit_witnesses').set(state).where('place', '=', place).execute(),
  );
}

function viewWitness(place: string, state: WitnessState, failures: number): WitnessView {
  const { seq, taken_at: takenAt, trouble } = state;
  return {
    place: shownPlace(place),
    seq,
    ...(takenAt !== null && { takenAt }),
    failures,
    ...(trouble !== null && { trouble }),
  };
}

/** The cause of a failed fetch says more than the error. */
function reasonOf({ message, cause }: Error): string {
  return cause instanceof Error ? cause.message : message;
}
