import { stepServer } from '@srup/protocol';
import { beginChange } from './change.ts';
import { factsOf, findExchange, momentOf, type Core, type Save } from './core.ts';
import { addOutcome } from './follow.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { Agenda } from './timer.ts';

/** Exchanges that are woken at once. */
const WOKEN_AT_ONCE = 500;
/** After one could not be handled, in milliseconds. */
const RETRY_MS = 1_000;
/** Identities that are ended at once. */
const REVOKED_AT_ONCE = 20;

/**
 * The time-outs of exchanges (P 10.10). An exchange whose message has not left yet is not timed out: nothing can
 * have been answered.
 */
export function exchangeAgenda(core: Core, save: Save): Agenda {
  const running = new Set<string>();
  const waiting = () =>
    core.store
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
    await addOutcome(core, change, step, moment, { known: exchange, by: 'time' });
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
        .where('wake_at', '<=', now)
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

/** Devices that left for good: their certificates end, and nothing waits for them any more (P 10.8). */
export function revocationAgenda(core: Core, save: Save, subscriptions: Subscriptions): Agenda {
  async function revoke(device: string): Promise<void> {
    const record = await core.records.find(device);
    if (record?.row.standing !== 'deregistered') return;
    await core.directory.revoke(record.id);
    await core.commit((transaction) => transaction.deleteFrom('outbox').where('device', '=', device).execute());
    const change = beginChange(record, core.clock.now());
    change.record = { ...record, row: { ...record.row, revoke_at: null } };
    await save(change);
    core.log.info({ device }, 'the identity of a device that left has ended');
    await subscriptions.release(device).catch(() => undefined); // the link is down: nothing is subscribed
  }

  return {
    next: async () => {
      const row = await core.store
        .selectFrom('devices')
        .select('revoke_at')
        .where('revoke_at', 'is not', null)
        .orderBy('revoke_at')
        .limit(1)
        .executeTakeFirst();
      return row?.revoke_at ?? undefined;
    },
    ring: async (now) => {
      const due = await core.store
        .selectFrom('devices')
        .select('id')
        .where('revoke_at', '<=', now)
        .orderBy('revoke_at')
        .limit(REVOKED_AT_ONCE)
        .execute();
      for (const { id } of due) await core.lanes.run(id, () => revoke(id));
    },
  };
}
