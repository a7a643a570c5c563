import { stepServer } from '@srup/protocol';
import { TIMEOUT } from '../api/callers.ts';
import { beginChange } from '../turn/change.ts';
import { factsOf, findExchange, momentOf, type Core, type Save } from '../turn/core.ts';
import { addOutcome } from '../turn/outcome.ts';
import type { Agenda } from './timer.ts';

/** Exchanges that are woken at once. */
const WOKEN_AT_ONCE = 500;
/** No exchange waits longer; what seems to was begun before the clock was set back. */
export const LONGEST_WAIT_MS = 8 * 24 * 60 * 60 * 1000;
/** After a time-out could not be handled, in milliseconds. */
const RETRY_MS = 1_000;

/**
 * The time-outs of exchanges (P 10.10). An exchange whose message has not left yet is not timed out: nothing can
 * have been answered.
 */
export function exchangeAgenda(core: Core, save: Save): Agenda {
  const running = new Set<string>();
  const waiting = () =>
    core.store.read
      .selectFrom('exchanges')
      .where('wake_at', 'is not', null)
      .where((where) =>
        where.not(
          where.exists(
            where.selectFrom('outbox').select('outbox.id').whereRef('outbox.device', '=', 'exchanges.device'),
          ),
        ),
      );

  async function wake(device: string, token: string): Promise<void> {
    const record = await core.records.find(device);
    const exchange = await findExchange(core, device, token);
    if (record === undefined || exchange?.wakeAt === undefined) return;
    const moment = momentOf(core);
    const step = stepServer(exchange, { on: 'time' }, moment, factsOf(core, record));
    if (step.state === exchange && step.effects.length === 0) return;
    const change = beginChange(record, moment.now);
    await addOutcome(core, change, step, moment, { known: exchange, by: TIMEOUT });
    await save(change);
  }

  return {
    next: async () => {
      const row = await waiting().select('wake_at').orderBy('wake_at').limit(1).executeTakeFirst();
      return row?.wake_at ?? undefined;
    },
    ring: async (now) => {
      const due = await waiting()
        .select(['device', 'token'])
        .where((where) =>
          where.or([where('wake_at', '<=', now), where('wake_at', '>', now + LONGEST_WAIT_MS)]),
        )
        .orderBy('wake_at')
        .limit(WOKEN_AT_ONCE)
        .execute();
      // Begun, not awaited: a slow device must not hold up the clock of the others.
      for (const { device, token } of due) {
        const name = `${device} ${token}`;
        if (running.has(name)) continue;
        running.add(name);
        void core.lanes
          .run(device, () => wake(device, token))
          .then(
            () => running.delete(name),
            (fault: unknown) => {
              core.log.error({ err: fault, device }, 'a time-out could not be handled; it is tried again');
              core.delay(RETRY_MS, () => running.delete(name));
            },
          );
      }
    },
  };
}
