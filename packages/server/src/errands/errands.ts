/** Errands: what one owner's turn asked of another owner, or of itself for later. */
import type { Delay, Log } from '@srup/node';
import type { Clock } from '@srup/protocol';
import type { Store } from '../store/port.ts';
import { createTimer, type Agenda } from '../time/timer.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Errands that are performed at the same time. */
const AT_ONCE = 20;
/** Time before a failed errand is tried again, in milliseconds. */
const RETRY_MS = 60_000;
/** An errand that was asked more than this later than now was asked before the clock was set back. Milliseconds. */
const CLOCK_STEP_MS = 3_600_000;

export interface Errand {
  readonly id: number;
  readonly owner: string;
  readonly kind: string;
  /** As it was committed. */
  readonly body: unknown;
}

/**
 * Performs errands of one kind, at least once each. It is called again for the same errand after a kill or a failure,
 * and finds what is done already. It changes the owner in the owner's lane. It does not wait for others there:
 * meanwhile the owner's messages would wait. Errands of one owner can be performed in any order. Rejects when the
 * errand has to be performed again later.
 */
export type PerformErrand = (errand: Errand) => Promise<void>;

export interface ErrandPorts {
  readonly store: Store<CoreTables>;
  readonly clock: Clock;
  readonly delay: Delay;
  readonly log: Log;
}

export interface Errands {
  /** Begins to perform what is due. An errand of a kind without a performer waits, and is logged. */
  start(performers: Readonly<Record<string, PerformErrand>>): void;
  stop(): void;
  /** Resolves when no errand is being performed. */
  settle(): Promise<void>;
}

/**
 * Performs errands when they are due, each until it succeeds. An errand is a row that the commit of the asking turn
 * writes. So no errand is lost, and none exists without its cause.
 *
 * @example
 * const errands = createErrands({ store, clock, delay, log });
 * errands.start({ 'end-identity': ({ owner }) => endIdentity(deviceOfOwner(owner)) });
 */
export function createErrands({ store, clock, delay, log }: ErrandPorts): Errands {
  const running = new Map<number, Promise<void>>();
  const resting = new Set<number>();
  let isStopped = false;
  const timer = createTimer({ clock, delay, log });
  const stopListening = store.listen('errands', (due) => {
    timer.nudge(due);
  });

  /** The errands that are neither being performed nor resting. */
  function waiting() {
    const all = store.read.selectFrom('errands');
    const taken = [...running.keys(), ...resting];
    return taken.length === 0 ? all : all.where('id', 'not in', taken);
  }

  function begin(errand: Errand, performer: PerformErrand | undefined): void {
    if (isStopped) return;
    if (performer === undefined) {
      // A newer version asked for it, and performs it after its next start.
      log.error({ owner: errand.owner, kind: errand.kind }, 'no performer takes this errand; it waits');
      resting.add(errand.id);
      return;
    }
    const performing = perform(errand, performer).finally(() => {
      running.delete(errand.id);
      timer.nudge(clock.now());
    });
    running.set(errand.id, performing);
  }

  async function perform(errand: Errand, performer: PerformErrand): Promise<void> {
    const { id, owner, kind } = errand;
    try {
      await performer(errand);
      await store.commit((write) => write.deleteFrom('errands').where('id', '=', id).execute());
    } catch (fault) {
      log.error({ err: fault, owner, kind }, 'an errand could not be performed; the server retries');
      await retryLater(id);
    }
  }

  async function retryLater(id: number): Promise<void> {
    const after = clock.now() + RETRY_MS;
    try {
      await store.commit((write) =>
        write.updateTable('errands').set({ after }).where('id', '=', id).execute(),
      );
    } catch {
      // The store is in trouble, so the errand stays due. It rests, so that it is not tried again at once.
      resting.add(id);
      delay(RETRY_MS, () => {
        resting.delete(id);
        timer.nudge(clock.now());
      });
    }
  }

  function agendaOf(performers: Readonly<Record<string, PerformErrand>>): Agenda {
    return {
      next: async () => {
        const row = await waiting().select('after').orderBy('after').limit(1).executeTakeFirst();
        return running.size < AT_ONCE ? row?.after : undefined;
      },
      ring: async (now) => {
        const due = await waiting()
          .select(['id', 'owner', 'kind', 'body'])
          .where((where) =>
            where.or([where('after', '<=', now), where('created_at', '>', now + CLOCK_STEP_MS)]),
          )
          .orderBy('after')
          .limit(AT_ONCE - running.size)
          .execute();
        for (const { id, owner, kind, body } of due)
          begin({ id, owner, kind, body: JSON.parse(body) as unknown }, performers[kind]);
      },
    };
  }

  return {
    start: (performers) => {
      timer.start(agendaOf(performers));
    },
    stop: () => {
      isStopped = true;
      timer.stop();
      stopListening();
    },
    settle: async () => {
      await Promise.all(running.values());
    },
  };
}
