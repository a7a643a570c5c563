/** Orders: what a caller wants of some devices. HTTP, programs and every other caller use the same ones. */
import type { Caller, Random } from '@srup/protocol';
import type { CommandReceipt, OrderBody } from '../api/forms/orders.ts';
import type { Artifacts } from '../artifacts/artifacts.ts';
import type { Fleet } from '../fleet-port.ts';
import { newOrderId, type Command } from './command.ts';
import { artifactUrl } from '../artifacts/url.ts';
import { commandFor } from './request.ts';
import { findWaysBack } from './rollback.ts';

export interface OrderPorts {
  readonly fleet: Pick<Fleet, 'select' | 'softwareOf'>;
  readonly artifacts: Pick<Artifacts, 'find' | 'list'>;
  readonly command: Command;
  readonly random: Pick<Random, 'bytes'>;
}

export interface OrderOptions {
  /** Where devices fetch software from the server, `https://host:port`. */
  readonly server: string;
}

export interface Orders {
  /**
   * Gives an order to the devices that it selects. Resolves when the messages are stored, with a receipt for each
   * device. A receipt says "accepted here", not "done". Rejects with FleetError when the order can't be met at all.
   *
   * @example
   * const command = { kind: 'update', digest, activate: true } as const;
   * const receipts = await orders.place({ type: 'pump', command }, tokenCaller(token));
   */
  place(order: OrderBody, by: Caller): Promise<readonly CommandReceipt[]>;
}

/**
 * Makes the orders of a fleet.
 *
 * @example
 * const orders = createOrders({ fleet, artifacts, command, random }, { server: 'https://fleet.example:8443' });
 */
export function createOrders(
  { fleet, artifacts, command, random }: OrderPorts,
  { server }: OrderOptions,
): Orders {
  /** Gives one command to all the devices that go back to the same software. */
  async function rollBack(
    devices: readonly string[],
    to: string | undefined,
    by: Caller,
    orderId: string,
  ): Promise<readonly CommandReceipt[]> {
    const ways = await findWaysBack(fleet, artifacts, devices, to);
    const receipts = new Map<string, CommandReceipt>();
    const byDigest = new Map<string, string[]>();
    for (const way of ways) {
      if ('reason' in way) receipts.set(way.device, { ...way, ok: false });
      else byDigest.set(way.digest, [...(byDigest.get(way.digest) ?? []), way.device]);
    }
    for (const [digest, some] of byDigest) {
      const url = artifactUrl(server, digest);
      const isStored = (await artifacts.find(digest)) !== undefined;
      const update = { kind: 'update', url, digest, activateAtOnce: true, isRollback: true } as const;
      for (const receipt of await command(some, update, by, orderId))
        receipts.set(receipt.device, receipt.ok ? { ...receipt, rollback: { digest, isStored } } : receipt);
    }
    return devices.map((device) => receipts.get(device) as CommandReceipt);
  }

  return {
    place: async ({ command: requested, ...selection }, by) => {
      const devices = await fleet.select(selection);
      const orderId = newOrderId(random);
      return requested.kind === 'rollback'
        ? rollBack(devices, requested.to, by, orderId)
        : command(devices, await commandFor(artifacts, server, requested), by, orderId);
    },
  };
}
