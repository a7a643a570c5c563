import { stepServer, type Identity } from '@srup/protocol';
import { beginChange } from './change.ts';
import { factsOf, findExchange, momentOf, type Core, type Save } from './core.ts';
import { addOutcome } from './follow.ts';
import { within } from './deadline.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { Agenda } from './timer.ts';

/** Exchanges that are woken at once. */
const WOKEN_AT_ONCE = 500;
/** No exchange waits longer; what seems to was begun before the clock was set back. */
const LONGEST_WAIT_MS = 8 * 24 * 60 * 60 * 1000;
/** After a time-out could not be handled, in milliseconds. */
const RETRY_MS = 1_000;
/** For the key service to end an identity, in milliseconds. */
const REVOKE_TIMEOUT_MS = 10_000;
/** After the key service could not end an identity, in milliseconds. */
const REVOKE_AGAIN_MS = 60_000;
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

/** Devices that left for good: their certificates end, and nothing waits for them any more (P 10.8). */
export function revocationAgenda(core: Core, save: Save, subscriptions: Subscriptions): Agenda {
  async function revoke(device: string): Promise<void> {
    const record = await core.records.find(device);
    if (record?.row.standing !== 'deregistered') return;
    const hasEnded = await endIdentity(record.id, device);
    const change = beginChange(record, core.clock.now());
    const again = hasEnded ? null : change.at + REVOKE_AGAIN_MS;
    change.record = { ...record, row: { ...record.row, revoke_at: again } };
    await save(change);
    if (hasEnded) await subscriptions.release(device).catch(() => undefined); // the link is down: nothing is subscribed
  }

  async function endIdentity(id: Identity, device: string): Promise<boolean> {
    await core.commit((transaction) =>
      transaction.deleteFrom('outbox').where('device', '=', device).execute(),
    );
    try {
      const ending = core.directory.revoke(id);
      await within(core.delay, REVOKE_TIMEOUT_MS, ending, 'the key service did not answer');
    } catch (fault) {
      core.log.error(
        { err: fault, device },
        'the identity of a device that left could not be ended; it is tried again',
      );
      return false;
    }
    core.log.info({ device }, 'the identity of a device that left has ended');
    return true;
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
        .where((where) =>
          where.or([where('revoke_at', '<=', now), where('revoke_at', '>', now + LONGEST_WAIT_MS)]),
        )
        .orderBy('revoke_at')
        .limit(REVOKED_AT_ONCE)
        .execute();
      for (const { id } of due) await core.lanes.run(id, () => revoke(id));
    },
  };
}
