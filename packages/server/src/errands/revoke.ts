/** The end of an identity (P 10.8): by the device's or the server's word, or at once by an operator's. */
import { parseIdentity, type Caller, type Identity } from '@srup/protocol';
import { appendAudit } from '../audit/append.ts';
import { FleetError, type Revocation } from '../contract.ts';
import { beginChange } from '../turn/change.ts';
import type { Core, Save } from '../turn/core.ts';
import { within } from '../turn/deadline.ts';
import { LONGEST_WAIT_MS } from '../time/due.ts';
import { giveUpOpen } from '../turn/outcome.ts';
import type { Subscriptions } from '../intake/subscriptions.ts';
import type { Agenda } from '../time/timer.ts';

/** For the key service and the broker to end an identity, in milliseconds. */
const TIMEOUT_MS = 20_000;
/** After they could not, in milliseconds. */
const AGAIN_MS = 60_000;
/** Identities that are ended at once. */
const AT_ONCE = 20;

export interface Revocations {
  /** Devices that left for good: their certificates end, and nothing waits for them any more. */
  readonly agenda: Agenda;
  /** In the device's lane: commits that it has left; the agenda ends its identity. False: nothing is known of it. */
  letGo(device: string, by: Caller): Promise<boolean>;
  revoke(device: string, by: Caller): Promise<Revocation>;
  /** Resolves when no identity is being ended. */
  settle(): Promise<void>;
}

export function createRevocations(core: Core, save: Save, subscriptions: Subscriptions): Revocations {
  const endings = new Map<string, Promise<string | undefined>>();

  /**
   * Never in a device's lane: what it says meanwhile would wait, and all that the broker brings after it.
   * Gives the problem, when it is to be tried again.
   */
  async function end(id: Identity, device: string): Promise<string | undefined> {
    try {
      const ending = core.directory.revoke(id);
      await within(core.delay, TIMEOUT_MS, ending, 'the key service or the broker did not answer');
    } catch (fault) {
      core.log.error(
        { err: fault, device },
        'the identity of a device that left could not be ended; it is tried again',
      );
      return fault instanceof Error ? fault.message : 'unknown reason';
    }
    core.log.info({ device }, 'the identity of a device that left has ended');
    return undefined;
  }

  /** Whoever wants the same at the same time waits for the one that is under way. */
  function endKnown(device: string): Promise<string | undefined> {
    const begun = endings.get(device);
    if (begun !== undefined) return begun;
    const ending = endOnce(device).finally(() => endings.delete(device));
    endings.set(device, ending);
    return ending;
  }

  async function endOnce(device: string): Promise<string | undefined> {
    const id = await core.lanes.run(device, () => emptyOutbox(device));
    if (id === undefined) return undefined;
    const problem = await end(id, device);
    await core.lanes.run(device, () => noteEnd(device, problem));
    if (problem === undefined) await subscriptions.release(device).catch(() => undefined); // the link is down: nothing is subscribed
    return problem;
  }

  /** Undefined: it has not left. */
  async function emptyOutbox(device: string): Promise<Identity | undefined> {
    const record = await core.records.find(device);
    if (record?.row.standing !== 'deregistered') return undefined;
    await core.store.commit((transaction) =>
      transaction.deleteFrom('outbox').where('device', '=', device).execute(),
    );
    return record.id;
  }

  async function noteEnd(device: string, problem: string | undefined): Promise<void> {
    const record = await core.records.find(device);
    if (record === undefined) return;
    const change = beginChange(record, core.clock.now());
    const again = problem === undefined ? null : change.at + AGAIN_MS;
    change.record = { ...record, row: { ...record.row, revoke_at: again } };
    await save(change);
  }

  /** Committed before the end itself: killed in between, the agenda does the rest. */
  async function letGo(device: string, by: Caller): Promise<boolean> {
    const record = await core.records.find(device);
    if (record === undefined) return false;
    if (record.row.standing === 'deregistered') return true;
    const change = beginChange(record, core.clock.now());
    change.record = { ...record, row: { ...record.row, standing: 'deregistered', revoke_at: change.at } };
    change.orders.push({ kind: 'revocation', at: change.at, device, body: { by } });
    await giveUpOpen(core, change);
    await save(change);
    return true;
  }

  /** One that registered, and never asked to join. */
  async function orderForStranger(device: string, id: Identity, by: Caller): Promise<void> {
    if ((await core.directory.find(id)) === undefined)
      throw new FleetError('not-found', `no device ${device} is known or registered`);
    const at = core.clock.now();
    await core.store.commit((transaction) =>
      appendAudit(transaction, { kind: 'revocation', at, device, body: { by } }),
    );
  }

  return {
    letGo,

    settle: async () => {
      await Promise.allSettled(endings.values());
    },

    revoke: async (device, by) => {
      const id = parseIdentity(device);
      if (id === undefined || id === core.serverId)
        throw new FleetError('invalid', `${device} is no device's identity`);
      const isKnown = await core.lanes.run(device, async () => {
        if (await letGo(device, by)) return true;
        await orderForStranger(device, id, by);
        return false;
      });
      const problem = await (isKnown ? endKnown(device) : end(id, device));
      return { id: device, ended: problem === undefined, ...(problem !== undefined && { problem }) };
    },

    agenda: {
      next: async () => {
        const row = await core.store.read
          .selectFrom('devices')
          .select('revoke_at')
          .where('revoke_at', 'is not', null)
          .orderBy('revoke_at')
          .limit(1)
          .executeTakeFirst();
        return row?.revoke_at ?? undefined;
      },
      ring: async (now) => {
        const due = await core.store.read
          .selectFrom('devices')
          .select('id')
          .where((where) =>
            where.or([where('revoke_at', '<=', now), where('revoke_at', '>', now + LONGEST_WAIT_MS)]),
          )
          .orderBy('revoke_at')
          .limit(AT_ONCE)
          .execute();
        await Promise.all(due.map(({ id }) => endKnown(id)));
      },
    },
  };
}
