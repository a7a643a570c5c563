import { newToken } from '@srup/node';
import {
  isDigest,
  isReservedDataId,
  MAX_MESSAGE_BYTES,
  openExchange,
  stepServer,
  SUITES,
  type AuditBodies,
  type Caller,
  type ServerCommand,
  type ServerExchange,
  type ServerInput,
  type TokenKey,
} from '@srup/protocol';
import { FleetError, type CommandReceipt, type ExchangeView } from '../contract.ts';
import { StoreFault } from '../store/fault.ts';
import { beginChange, type Change } from '../turn/change.ts';
import { factsOf, findExchange, momentOf, type Core, type Save } from '../turn/core.ts';
import { explainRefusal } from '../news/explain.ts';
import { addOutcome } from '../turn/outcome.ts';
import { signEarly } from '../outbox/sign.ts';
import type { DeviceRecord } from '../peers/records.ts';
import { viewExchange } from '../news/views.ts';

/** Devices that are commanded at once; their commits share transactions. */
const DEVICES_AT_ONCE = 200;

/** One message a device, each with its own token (P 10.9). Receipts come in the order of the devices. */
export function createCommand(core: Core, save: Save) {
  return async (
    devices: readonly string[],
    command: ServerCommand,
    by: Caller,
  ): Promise<readonly CommandReceipt[]> => {
    checkCommand(command);
    const seen = new Set<string>();
    const receipts: CommandReceipt[] = [];
    for (let at = 0; at < devices.length; at += DEVICES_AT_ONCE) {
      const some = devices.slice(at, at + DEVICES_AT_ONCE).map(async (device) => {
        if (seen.has(device)) return refused(device, 'named twice in this command');
        seen.add(device);
        return core.lanes.run(device, () => commandOne(device, command, by));
      });
      receipts.push(...(await Promise.all(some)));
    }
    return receipts;
  };

  async function commandOne(device: string, command: ServerCommand, by: Caller): Promise<CommandReceipt> {
    try {
      const record = await core.records.find(device);
      const why = whyNot(record);
      if (record === undefined || why !== undefined) return refused(device, why ?? UNKNOWN);
      const moment = momentOf(core);
      const change = beginChange(record, moment.now);
      const token = newToken(core.clock, core.random);
      const step = openExchange(command, token, moment, factsOf(core, record));
      await addOutcome(core, change, step, moment, { known: undefined, by });
      addOrder(change, { order: command.kind, token, by, ...detailsOf(command) });
      const unsendable = whyUnsendable(change);
      if (unsendable !== undefined) return refused(device, unsendable);
      await signEarly(core, change);
      await save(change);
      return { device, ok: true, token };
    } catch (fault) {
      if (!(fault instanceof StoreFault)) throw fault;
      core.log.error({ err: fault, device }, 'a command could not be stored');
      return refused(device, 'the server could not store the command (is its disk full?); nothing was sent');
    }
  }
}

function addOrder({ orders, at, record }: Change, body: AuditBodies['order']): void {
  orders.push({ kind: 'order', at, device: record.row.id, body });
}

/** What was ordered, for the trail; of data its name, as the message itself has the rest. */
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

const UNKNOWN = 'no device with this id is known';

function refused(device: string, reason: string): CommandReceipt {
  return { device, ok: false, reason };
}

function whyNot(record: DeviceRecord | undefined): string | undefined {
  if (record === undefined) return UNKNOWN;
  const { standing } = record.row;
  return standing === 'joined' ? undefined : `the device is not joined (it is ${standing})`;
}

function whyUnsendable({ exhausted, outgoing, record }: Change): string | undefined {
  if (exhausted) return 'the sequence numbers of this device are used up: register it anew';
  const room = MAX_MESSAGE_BYTES - SUITES[record.row.suite].signatureBytes.most;
  return outgoing.some(({ message }) => message.length > room) ? 'the message would be too long' : undefined;
}

/** What is wrong with the command itself, whatever the device. */
function checkCommand(command: ServerCommand): void {
  if (command.kind === 'update') {
    if (!isDigest(command.digest)) throw invalid('a digest is 64 lower-case hex digits (SHA-256)'); // P 2.6
    if (!command.url.startsWith('https:') || !URL.canParse(command.url))
      throw invalid(`"${command.url}" is no https URL`); // P 10.2
  }
  if (
    command.kind === 'action' &&
    !(Number.isInteger(command.actionId) && command.actionId >= 0 && command.actionId < 256)
  ) {
    throw invalid('an action id is a whole number from 0 to 255');
  }
  if (command.kind === 'data') {
    if (command.dataId === '' || command.dataId.includes('\0'))
      throw invalid('a data id is a text without NUL');
    if (isReservedDataId(command.dataId))
      throw invalid(`the data id "${command.dataId}" is the protocol's own`); // P 10.6
    if (command.data.length > MAX_MESSAGE_BYTES) throw invalid(`data has at most ${MAX_MESSAGE_BYTES} bytes`);
  }
}

function invalid(message: string): FleetError {
  return new FleetError('invalid', message);
}

/** An operator's word on an exchange that is there: ACTIVATE, cancel, decide a join. */
export function createWord(core: Core, save: Save) {
  return (device: string, token: TokenKey, input: ServerInput, by: Caller): Promise<ExchangeView> =>
    core.lanes.run(device, async () => {
      const record = await core.records.find(device);
      const exchange = record && (await findExchange(core, device, token));
      if (exchange === undefined)
        throw new FleetError('not-found', `device ${device} has no exchange ${token}`);
      checkInput(exchange, input);
      const moment = momentOf(core);
      const step = stepServer(exchange, input, moment, factsOf(core, record as DeviceRecord));
      if (step.refused !== undefined)
        throw new FleetError('conflict', explainRefusal(step.refused, exchange));
      const change = beginChange(record as DeviceRecord, moment.now);
      await addOutcome(core, change, step, moment, { known: exchange, by });
      addOrder(change, {
        order: input.on,
        token,
        by,
        ...(input.on === 'decide' && { verdict: input.verdict }),
      });
      await save(change);
      return viewExchange(device, step.state, moment.now);
    });
}

function checkInput(exchange: ServerExchange, input: ServerInput): void {
  const isFor = input.on === 'decide' ? 'join' : 'update';
  if (exchange.kind === isFor) return;
  throw new FleetError('invalid', `this needs the token of a ${isFor}, but it is that of a ${exchange.kind}`);
}
