/** The fleet is made here, from its rooms. */
import { createLanes, realDelay, type Delay, type Log, type MqttLink } from '@srup/node';
import {
  identityText,
  type Clock,
  type Identity,
  type Random,
  type SignKey,
  type SuiteName,
} from '@srup/protocol';
import { PROGRAM } from './api/callers.ts';
import { createEndings, type Endings } from './errands/end-identity.ts';
import { createErrands } from './errands/errands.ts';
import { announceNewest } from './errands/recovered.ts';
import { greetAfterRestore, letGoOfRevoked } from './errands/restored.ts';
import { createEntryBudget } from './evidence/budget.ts';
import { KEPT_PER_DEVICE, type Keep } from './evidence/trim.ts';
import type { Fleet } from './fleet-port.ts';
import { createIntake, type Arrive } from './intake/arrive.ts';
import { followConnection, holdLink, type Connection } from './intake/connection.ts';
import { openJoinPolicies, type JoinPolicies } from './joindesk/policies.ts';
import { SILENT, type Meter } from './metrics/meter.ts';
import { openEvents, type Events } from './news/events.ts';
import { createQueries } from './news/queries.ts';
import { createCommand, newOrderId, type Command, type CommandPorts } from './orders/command.ts';
import { createRename } from './orders/rename.ts';
import { selectDevices } from './orders/select.ts';
import { createSayWord } from './orders/word.ts';
import { createSender } from './outbox/sender.ts';
import { createSigner } from './outbox/sign.ts';
import { createSubscriptions } from './outbox/subscriptions.ts';
import type { IdentityDirectory } from './peers/directory.ts';
import { createRecords } from './peers/records.ts';
import { StoreError } from './store/fault.ts';
import type { Store } from './store/port.ts';
import { readSetting, writeSetting } from './store/settings.ts';
import { exchangeTimeouts } from './time/timeouts.ts';
import { createTimer } from './time/timer.ts';
import { END_IDENTITY } from './turn/outcome.ts';
import type { TurnPorts } from './turn/ports.ts';
import { createSave } from './turn/save.ts';
import type { CoreTables } from './store/schema/tables.ts';

/** What the fleet uses. */
export interface FleetPorts {
  readonly store: Store<CoreTables>;
  readonly serverId: Identity;
  /** The server's key of each suite: to a device it signs with the one of the device's suite (P 4.1). */
  readonly keys: Readonly<Record<SuiteName, SignKey>>;
  readonly directory: IdentityDirectory;
  /** The fleet takes its three handlers. */
  readonly link: MqttLink;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** By default nothing is counted. */
  readonly meter?: Meter;
  /** By default real time. A test moves the time itself. */
  readonly delay?: Delay;
}

export interface FleetOptions {
  /** How much is kept of one device; by default `KEPT_PER_DEVICE`. */
  readonly keep?: Keep;
}

/** The fleet, as the composition root holds it. */
export interface RunningFleet extends Fleet {
  /** Commands devices as part of an order that has an id already. */
  readonly commandInOrder: Command;
  /** Goes on with what is open in the store: owed messages, timeouts, errands, subscriptions. */
  start(): Promise<void>;
  /** Tells whether the broker is connected. */
  isConnected(): boolean;
  /** Resolves when no work is going on any more. Then close the link and the store. */
  stop(): Promise<void>;
  /** Takes a message from a transport. Acknowledge it when this resolves, and only then (P 5.3). */
  readonly arrive: Arrive;
}

/**
 * Makes a fleet. It takes the handlers of the link before it returns: call it in the same tick as `connectMqtt`.
 * Messages that arrive wait for `start`. Rejects when the store belongs to another server.
 *
 * @example
 * const fleet = await createFleet({ store, serverId, keys, directory, link, clock, random, log });
 * await fleet.start();
 */
export function createFleet(ports: FleetPorts, options: FleetOptions = {}): Promise<RunningFleet> {
  return openFleet(ports, options, holdLink(ports.link, ports.log));
}

async function openFleet(
  ports: FleetPorts,
  { keep = KEPT_PER_DEVICE }: FleetOptions,
  connection: Connection,
): Promise<RunningFleet> {
  const { store, serverId, keys, link, clock, random, log, meter = SILENT, delay = realDelay } = ports;
  await claimStore(store, serverId);
  const policies = await openJoinPolicies(store, clock);
  const events = await openEvents(store, log);

  const deservesEntry = createEntryBudget(clock);
  const lanes = createLanes();
  const records = createRecords(store.read);
  const signer = createSigner({ serverId, keys, delay });
  const timer = createTimer({ clock, delay, log });
  const errands = createErrands({ store, clock, delay, log });
  const subscriptions = createSubscriptions(store.read, link, serverId);
  const nudgeTimeouts = () => {
    timer.nudge(clock.now());
  };
  const outbox = { store, signer, clock, deservesEntry };
  const surroundings = { meter, random, delay, log };
  const sender = createSender({ ...outbox, ...surroundings, link, subscriptions, onEmptied: nudgeTimeouts });
  const save = createSave({ ...outbox, records, sender, timer, meter, log }, { keep });
  const turn: TurnPorts = {
    ...{ serverId, store, records, policies, lanes, save, clock, random, meter, log },
  };
  const take = createIntake({ ...turn, directory: ports.directory, delay });
  const endings = createEndings({ ...turn, directory: ports.directory, subscriptions, delay });
  const follow = followConnection({
    ...{ connection, subscriptions, sender, store, clock, delay, log },
    onHastened: nudgeTimeouts,
  });

  let isStarted = false;
  const lifetime = new AbortController();
  const isStopped = () => lifetime.signal.aborted;
  /** While the database was away, things may have been stored although whoever asked was told that they failed. */
  async function recover(): Promise<void> {
    await policies.refresh();
    await sender.wakeOwed();
    nudgeTimeouts();
    await announceNewest(store, clock);
    // Devices that could not be sent to meanwhile are tried again now.
    if (connection.isUp()) await follow();
  }
  const stopRecovering = store.listen('recovered', () => {
    if (isStopped() || !isStarted) return;
    recover().catch((fault: unknown) => {
      log.error(
        { err: fault },
        'not all could go on after the database was away; it does when it is asked for',
      );
    });
  });

  const arrive: Arrive = (arrival) =>
    isStopped() ? Promise.reject(new Error('the server is stopping')) : take(arrival);
  const fleet = fleetOf({ ...turn, signer }, policies, events, endings);
  let greeting: Promise<void> = Promise.resolve();
  const greet = (): Promise<void> =>
    greetAfterRestore(turn, fleet, { isStopped, onHastened: nudgeTimeouts }).catch((fault: unknown) => {
      log.error({ err: fault }, 'devices could not be asked after the restore; the next start does it');
    });

  return {
    ...fleet,
    arrive,
    isConnected: () => connection.isUp(),
    start: async () => {
      isStarted = true;
      await letGoOfRevoked(turn, endings);
      await sender.wakeOwed();
      timer.start(exchangeTimeouts({ ...turn, delay }));
      errands.start({ [END_IDENTITY]: endings.perform });
      connection.begin(arrive, () => {
        if (!isStopped()) void follow();
      });
      await follow();
      greeting = greet();
    },
    stop: async () => {
      lifetime.abort();
      stopRecovering();
      connection.end();
      timer.stop();
      errands.stop();
      await sender.stop();
      await greeting;
      await errands.settle();
      await endings.settle();
      await lanes.settle();
      events.stop();
    },
  };
}

function fleetOf(
  ports: CommandPorts,
  policies: JoinPolicies,
  events: Events,
  endings: Endings,
): Fleet & Pick<RunningFleet, 'commandInOrder'> {
  const say = createSayWord(ports);
  const command = createCommand(ports);
  const rename = createRename(ports);
  return {
    serverId: ports.serverId,
    ...createQueries(ports.store.read),
    select: (selection) => selectDevices(ports.store.read, selection),
    commandInOrder: command,
    command: (devices, order, by = PROGRAM) => command(devices, order, by, newOrderId(ports.random)),
    activate: (device, token, by = PROGRAM) => say(device, token, { on: 'activate' }, by),
    cancel: (device, token, by = PROGRAM) => say(device, token, { on: 'cancel' }, by),
    decideJoin: (device, token, verdict, by = PROGRAM) => say(device, token, { on: 'decide', verdict }, by),
    joinPolicy: async () => policies.all(),
    setJoinPolicy: (type, verdict, by = PROGRAM) => policies.set(type, verdict, by),
    rename: (device, name, by = PROGRAM) => rename(device, name, by),
    revoke: (id, by = PROGRAM) => endings.revoke(id, by),
    watch: (listener, since) => events.watch(listener, since),
  };
}

/**
 * Notes whose store it is. Rejects with `StoreError` when it is another server's: numbers and tokens belong to one
 * server; with the store of another it would send messages twice, or not at all.
 */
export async function claimStore(store: Store<CoreTables>, serverId: Identity): Promise<void> {
  const name = 'server';
  const value = identityText(serverId);
  await store.commit(async (write) => {
    const owner = await readSetting(write, name);
    if (owner === undefined) await writeSetting(write, name, value);
    else if (owner !== value) {
      throw new StoreError(
        `The database belongs to the server ${owner}, not to ${value}. Use the folder of that server.`,
      );
    }
  });
}
