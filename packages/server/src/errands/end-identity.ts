/** Ends an identity (P 10.8): when the device left for good, or at once when an operator revokes it. */
import { within, type Delay } from '@srup/node';
import { parseIdentity, type Caller, type Identity } from '@srup/protocol';
import { FleetError } from '../api/faults.ts';
import type { Revocation } from '../api/forms/devices.ts';
import type { IdentityDirectory } from '../peers/directory.ts';
import type { Subscriptions } from '../outbox/subscriptions.ts';
import { beginChange } from '../turn/change.ts';
import { END_IDENTITY, giveUpOpen } from '../turn/outcome.ts';
import { deviceOfOwner, deviceOwner } from '../turn/owner.ts';
import type { TurnPorts } from '../turn/ports.ts';
import type { PerformErrand } from './errands.ts';
import { appendAudit } from '../chain/append.ts';

/** Timeout for the key service and the broker to end an identity, in milliseconds. */
const TIMEOUT_MS = 20_000;
/** After they could not, in milliseconds. */
const AGAIN_MS = 60_000;

export interface EndingPorts extends TurnPorts {
  readonly directory: Pick<IdentityDirectory, 'find' | 'revoke'>;
  readonly subscriptions: Pick<Subscriptions, 'release'>;
  readonly delay: Delay;
}

export interface Endings {
  /** Performs the errand of a device that left for good. */
  readonly perform: PerformErrand;
  /** Commits that a device has left; an errand ends its identity. Runs in the device's lane. False: it is unknown. */
  letGo(device: string, by: Caller): Promise<boolean>;
  /** Commits that a device has left, and ends its identity now. An errand retries what failed. */
  revoke(device: string, by: Caller): Promise<Revocation>;
  /** Resolves when no identity is being ended. */
  settle(): Promise<void>;
}

/**
 * Makes what ends identities.
 *
 * @example
 * const { ended, problem } = await createEndings(ports).revoke('27ab54d670b64be2', by);
 */
export function createEndings(ports: EndingPorts): Endings {
  const { serverId, store, records, lanes, save, directory, subscriptions, clock, delay, log } = ports;
  const endings = new Map<string, Promise<string | undefined>>();

  /** Ends an identity. A second call at the same time waits for the first. Returns the problem, if there is one. */
  function end(device: string): Promise<string | undefined> {
    const begun = endings.get(device);
    if (begun !== undefined) return begun;
    const ending = endOnce(device).finally(() => endings.delete(device));
    endings.set(device, ending);
    return ending;
  }

  async function endOnce(device: string): Promise<string | undefined> {
    const id = await lanes.run(deviceOwner(device), () => emptyOutbox(device));
    if (id === undefined) return undefined;
    // Not in the device's lane: there, its messages would wait meanwhile, and every message after them.
    const problem = await endAtKeyService(id, device);
    if (problem !== undefined) return problem;
    await dropErrand(device);
    await subscriptions.release(device).catch(() => undefined); // the link is down: nothing is subscribed
    return undefined;
  }

  /** Deletes what is owed to a device that left. Undefined: it has not left. */
  async function emptyOutbox(device: string): Promise<Identity | undefined> {
    const record = await records.find(device);
    if (record?.row.standing !== 'deregistered') return undefined;
    await store.commit((write) => write.deleteFrom('outbox').where('device', '=', device).execute());
    return record.id;
  }

  async function endAtKeyService(id: Identity, device: string): Promise<string | undefined> {
    try {
      const ending = directory.revoke(id);
      await within(delay, TIMEOUT_MS, ending, 'the key service or the broker did not answer');
    } catch (fault) {
      log.error(
        { err: fault, device },
        'the identity of a device that left could not be ended; the server retries',
      );
      return fault instanceof Error ? fault.message : 'unknown reason';
    }
    log.info({ device }, 'the identity of a device that left has ended');
    return undefined;
  }

  /** A device that left before has no errand any more: what could not be ended now is tried again all the same. */
  async function oweEnd(device: string): Promise<void> {
    const owner = deviceOwner(device);
    const now = clock.now();
    await store.commit(async (write) => {
      const owed = await write
        .selectFrom('errands')
        .select('id')
        .where('owner', '=', owner)
        .where('kind', '=', END_IDENTITY)
        .executeTakeFirst();
      if (owed !== undefined) return;
      const errand = { owner, kind: END_IDENTITY, body: '{}', after: now + AGAIN_MS, created_at: now };
      await write.insertInto('errands').values(errand).execute();
    });
  }

  async function dropErrand(device: string): Promise<void> {
    await store.commit((write) =>
      write
        .deleteFrom('errands')
        .where('owner', '=', deviceOwner(device))
        .where('kind', '=', END_IDENTITY)
        .execute(),
    );
  }

  // It commits before the identity ends. If the process is killed in between, the errand does the rest.
  async function letGo(device: string, by: Caller): Promise<boolean> {
    const record = await records.find(device);
    if (record === undefined) return false;
    if (record.row.standing === 'deregistered') return true;
    const change = beginChange(record, clock.now());
    change.record = { ...record, row: { ...record.row, standing: 'deregistered' } };
    change.entries.push({ kind: 'revocation', at: change.at, device, body: { by } });
    change.errands.push({ owner: deviceOwner(device), kind: END_IDENTITY, body: {}, after: change.at });
    await giveUpOpen(ports, change);
    await save(change);
    return true;
  }

  /** Notes the order to revoke a device that registered, but never asked to join. */
  async function orderForStranger(device: string, id: Identity, by: Caller): Promise<void> {
    if ((await directory.find(id)) === undefined)
      throw new FleetError('not-found', `no device ${device} is known or registered`);
    const at = clock.now();
    await store.commit((write) => appendAudit(write, { kind: 'revocation', at, device, body: { by } }));
  }

  return {
    letGo,

    settle: async () => {
      await Promise.allSettled(endings.values());
    },

    perform: async ({ owner }) => {
      const problem = await end(deviceOfOwner(owner));
      if (problem !== undefined) throw new Error(problem);
    },

    revoke: async (device, by) => {
      const id = parseIdentity(device);
      if (id === undefined || id === serverId)
        throw new FleetError('invalid', `${device} is not the identity of a device`);
      const isKnown = await lanes.run(deviceOwner(device), async () => {
        if (await letGo(device, by)) return true;
        await orderForStranger(device, id, by);
        return false;
      });
      const problem = await (isKnown ? end(device) : endAtKeyService(id, device));
      if (isKnown && problem !== undefined) await oweEnd(device);
      return { id: device, ended: problem === undefined, ...(problem !== undefined && { problem }) };
    },
  };
}
