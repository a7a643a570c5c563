import type { Delay } from '@srup/node';
import { stepServer } from '@srup/protocol';
import { TIMEOUT } from '../api/callers.ts';
import { findExchange } from '../peers/exchanges.ts';
import { beginChange } from '../turn/change.ts';
import { factsOf, momentOf } from '../turn/facts.ts';
import { addOutcome } from '../turn/outcome.ts';
import { deviceOwner } from '../turn/owner.ts';
import type { TurnPorts } from '../turn/ports.ts';
import { LONGEST_WAIT_MS } from './limits.ts';
import type { Agenda } from './timer.ts';

/** Exchanges that one look at the store wakes. */
const WOKEN_AT_ONCE = 500;
/** Time before a timeout that failed is tried again, in milliseconds. */
const RETRY_MS = 1_000;

export interface TimeoutPorts extends TurnPorts {
  readonly delay: Delay;
}

/**
 * The timeouts of exchanges (P 10.10). An exchange does not time out while messages to its device wait in the outbox:
 * the device can't have answered them.
 *
 * @example
 * createTimer({ clock, delay, log }).start(exchangeTimeouts(ports));
 */
export function exchangeTimeouts(ports: TimeoutPorts): Agenda {
  const { store, records, lanes, save, delay, log } = ports;
  const running = new Set<string>();
  const waiting = () =>
    store.read
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
    const record = await records.find(device);
    const exchange = await findExchange(store.read, device, token);
    if (record === undefined || exchange?.wakeAt === undefined) return;
    const moment = momentOf(ports);
    const step = stepServer(exchange, { on: 'time' }, moment, factsOf(ports, record));
    if (step.state === exchange && step.effects.length === 0) return;
    const change = beginChange(record, moment.now);
    await addOutcome(ports, change, step, moment, { known: exchange, by: TIMEOUT });
    await save(change);
  }

  /** Begins a timeout and does not wait for it: a slow device must not delay the timeouts of others. */
  function begin(device: string, token: string): void {
    const name = `${device} ${token}`;
    if (running.has(name)) return;
    running.add(name);
    lanes
      .run(deviceOwner(device), () => wake(device, token))
      .then(
        () => running.delete(name),
        (fault: unknown) => {
          log.error({ err: fault, device }, 'a timeout could not be handled; the server retries');
          delay(RETRY_MS, () => running.delete(name));
        },
      );
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
      for (const { device, token } of due) begin(device, token);
    },
  };
}
