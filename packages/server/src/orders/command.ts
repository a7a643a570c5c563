import { newToken } from '@srup/node';
import {
  encode,
  MAX_MESSAGE_BYTES,
  openExchange,
  SUITES,
  toHex,
  type Caller,
  type Identity,
  type Random,
  type ServerCommand,
} from '@srup/protocol';
import type { CommandReceipt } from '../api/forms/orders.ts';
import type { Signer } from '../outbox/sign.ts';
import type { DeviceRecord } from '../peers/records.ts';
import { DatabaseAway, isFaultOf, Ousted, OutcomeUnknown, StoreFault } from '../store/fault.ts';
import { beginChange, type Change } from '../turn/change.ts';
import { factsOf, momentOf } from '../turn/facts.ts';
import { addOutcome } from '../turn/outcome.ts';
import { deviceOwner } from '../turn/owner.ts';
import type { TurnPorts } from '../turn/ports.ts';
import { checkCommand } from './checks.ts';

/** Devices that are commanded at the same time. Their commits share transactions. */
const DEVICES_AT_ONCE = 200;
/** Timeout of a signature that a command waits for, in milliseconds. */
const SIGN_TIMEOUT_MS = 1_000;

/**
 * Commands devices: one message each, with a token of its own (P 10.9). Receipts come in the order of the devices.
 * `orderId`: the order that the commands are part of. Rejects with FleetError for a command that is wrong for every
 * device.
 *
 * @example
 * const [receipt] = await command(['27ab54d670b64be2'], { kind: 'action', actionId: 4 }, by, newOrderId(random));
 */
export type Command = (
  devices: readonly string[],
  command: ServerCommand,
  by: Caller,
  orderId: string,
) => Promise<readonly CommandReceipt[]>;

export interface CommandPorts extends TurnPorts {
  readonly signer: Signer;
}

/**
 * The id of a new order: 16 hex digits. Exchanges, receipts and the audit trail carry it.
 *
 * @example
 * newOrderId(systemRandom); // '9f3a61c07be42d15'
 */
export function newOrderId(random: Pick<Random, 'bytes'>): string {
  return toHex(random.bytes(8));
}

/**
 * Makes what commands devices.
 *
 * @example
 * const command = createCommand({ ...turn, signer });
 */
export function createCommand(ports: CommandPorts): Command {
  const { serverId, records, lanes, save, signer, clock, random, log } = ports;

  async function commandOne(
    device: string,
    command: ServerCommand,
    by: Caller,
    orderId: string,
  ): Promise<CommandReceipt> {
    const record = await records.find(device);
    const why = whyNot(record);
    if (record === undefined || why !== undefined) return refused(device, why ?? UNKNOWN);
    const moment = momentOf(ports);
    const change = beginChange(record, moment.now);
    const token = newToken(clock, random);
    const step = openExchange(command, token, moment, factsOf(ports, record));
    change.orderId = orderId;
    await addOutcome(ports, change, step, moment, { known: undefined, by });
    change.entries.push({
      kind: 'order',
      at: change.at,
      device,
      body: { order: command.kind, token, orderId, by, ...detailsOf(command) },
    });
    const unsendable = whyUnsendable(change, serverId);
    if (unsendable !== undefined) return refused(device, unsendable);
    await signEarly(change);
    await save(change);
    return { device, ok: true, token, order: orderId };
  }

  /**
   * Signs the messages of a change before it is committed, which saves a second commit. Answers are not signed early:
   * the link waits while they are made. A message that could not be signed here is signed before it leaves.
   */
  async function signEarly(change: Change): Promise<void> {
    const { row } = change.record;
    try {
      change.outgoing = await Promise.all(
        change.outgoing.map(async ({ sequence, draft }) => ({
          ...{ sequence, draft },
          signed: await signer.sign(row, draft, sequence, SIGN_TIMEOUT_MS),
        })),
      );
    } catch (fault) {
      log.warn({ err: fault, device: row.id }, 'a message is stored unsigned, and signed before it leaves');
    }
  }

  return async (devices, command, by, orderId) => {
    checkCommand(command);
    const seen = new Set<string>();
    const receipts: CommandReceipt[] = [];
    for (let at = 0; at < devices.length; at += DEVICES_AT_ONCE) {
      const some = devices.slice(at, at + DEVICES_AT_ONCE).map(async (device) => {
        if (seen.has(device)) return refused(device, 'named twice in this command');
        seen.add(device);
        return lanes
          .run(deviceOwner(device), () => commandOne(device, command, by, orderId))
          .catch((fault: unknown) => {
            // The others are committed: their receipts must not be lost with this one.
            log.error({ err: fault, device }, 'a command could not be made or stored');
            return refused(device, whyFailed(fault, orderId));
          });
      });
      receipts.push(...(await Promise.all(some)));
    }
    return receipts;
  };
}

const UNKNOWN = 'no device with this id is known';
const NOT_MADE = 'the server failed to make the message (its log says more); nothing was sent';
const NOT_STORED = 'the server could not store the command (is its disk full?); nothing was sent';
const AWAY = 'the database of the server is away, so the command could not be stored; nothing was sent';
const OUSTED =
  'another server uses the database now, or it went back in time, so the command could not be stored; nothing was sent. This server takes nothing any more: its log says what to do';

/** A command that may be stored must not be called lost: given again, it would be done twice. */
function whyFailed(fault: unknown, orderId: string): string {
  if (isFaultOf(fault, OutcomeUnknown)) {
    return `the database of the server went away while it stored the command: it is stored and will be sent, or it is not. Look at the exchanges of the order ${orderId} before you give it again`;
  }
  if (isFaultOf(fault, Ousted)) return OUSTED;
  if (isFaultOf(fault, DatabaseAway)) return AWAY;
  return fault instanceof StoreFault ? NOT_STORED : NOT_MADE;
}

function refused(device: string, reason: string): CommandReceipt {
  return { device, ok: false, reason };
}

function whyNot(record: DeviceRecord | undefined): string | undefined {
  if (record === undefined) return UNKNOWN;
  const { standing } = record.row;
  return standing === 'joined' ? undefined : `the device is not joined (it is ${standing})`;
}

/** The details of a command for the audit trail. Of data that is its name: the message itself has the value. */
function detailsOf(command: ServerCommand): Readonly<Record<string, string | number | boolean>> {
  switch (command.kind) {
    case 'update':
      return { digest: command.digest, url: command.url, activate: command.activateAtOnce };
    case 'action':
      return { actionId: command.actionId };
    case 'data':
      return { dataId: command.dataId };
    default:
      return {};
  }
}

/** Bytes of the length of the signature (P 2.2). */
const SIGNATURE_LENGTH_BYTES = 2;

function whyUnsendable({ exhausted, outgoing, record }: Change, sender: Identity): string | undefined {
  if (exhausted) return 'the sequence numbers of this device are used up: register it anew';
  const room = MAX_MESSAGE_BYTES - SUITES[record.row.suite].signatureBytes.most - SIGNATURE_LENGTH_BYTES;
  const isTooLong = outgoing.some(
    ({ draft, sequence }) => encode({ ...draft, sequence, sender }).signedBytes.length > room,
  );
  return isTooLong ? 'the message would be too long' : undefined;
}
