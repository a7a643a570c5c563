import { identityText, type Caller, type Identity } from '@srup/protocol';
import type { MqttArrival } from '@srup/node';
import { PROGRAM } from './api/callers.ts';
import { FleetError, type DeviceView, type Fleet } from './contract.ts';
import { openJoinPolicies } from './joindesk/policies.ts';
import { SILENT } from './metrics/meter.ts';
import { StoreError } from './store/fault.ts';
import type { FleetTables } from './store/tables.ts';
import { KEPT_PER_DEVICE } from './evidence/trim.ts';
import { createIntake } from './intake/arrive.ts';
import { beginChange, type Change } from './turn/change.ts';
import { createCommand, createWord } from './orders/command.ts';
import { followConnection, holdLink, type Connection } from './intake/connection.ts';
import { createSave, type Core, type Save } from './turn/core.ts';
import { realDelay, type FleetDeps } from './turn/deps.ts';
import { exchangeAgenda } from './time/due.ts';
import { openEvents } from './news/events.ts';
import { createLanes } from './turn/lanes.ts';
import { createQueries } from './news/queries.ts';
import { createRecords } from './peers/records.ts';
import { greetAfterRestore, letGoOfRevoked } from './errands/restored.ts';
import { createRevocations, type Revocations } from './errands/revoke.ts';
import { createSender } from './outbox/sender.ts';
import { createSubscriptions } from './intake/subscriptions.ts';
import { createTimer } from './time/timer.ts';
import { createEntryBudget } from './evidence/budget.ts';
import { viewDevice } from './news/views.ts';
import type { Store } from './store/port.ts';

/** Characters of a name that an operator gives. */
const LONGEST_NAME = 100;
/** As a name of one device it could be taken for another one. Shorter ids are one in 65,536. */
const LIKE_AN_ID = /^[0-9a-f]{13,16}$/i;

/** The C2 core as the composition root holds it. */
export interface RunningFleet extends Fleet {
  /** Takes up what was left open: messages that are owed, time-outs, subscriptions. */
  start(): Promise<void>;
  /** Is the broker connected, so that devices can be heard? */
  isConnected(): boolean;
  /** Resolves when nothing is being worked on any more. Then close the link and the store. */
  stop(): Promise<void>;
  /** A message from a transport. Acknowledge it when this resolves, and only then (P 5.3). */
  arrive(arrival: MqttArrival): Promise<void>;
}

/**
 * Takes the handlers of the link before it returns: call it in the same turn as `connectMqtt`. What arrives waits for
 * `start`. Rejects when the store belongs to another server.
 */
export function createFleet(deps: FleetDeps): Promise<RunningFleet> {
  return openFleet(deps, holdLink(deps));
}

async function openFleet(deps: FleetDeps, connection: Connection): Promise<RunningFleet> {
  await claimStore(deps.store, deps.serverId);
  let committed: (change: Change) => void = () => undefined;
  const core = await openCore(deps, (change) => {
    committed(change);
  });
  const save = createSave(core);
  const subscriptions = createSubscriptions(core.store.read, core.link, core.serverId);
  const timeouts = createTimer(exchangeAgenda(core, save), core);
  const leaving = createRevocations(core, save, subscriptions);
  const revocations = createTimer(leaving.agenda, core);
  const sender = createSender(core, subscriptions, () => {
    timeouts.nudge(core.clock.now());
  });
  /** What a commit leaves to be done; all of it is found again in the store after a restart. */
  committed = ({ record, outgoing, exchanges, isGreeting }) => {
    if (outgoing.length > 0) sender.wake(record.row.id);
    if (isGreeting) timeouts.nudge(core.clock.now());
    for (const { wakeAt } of exchanges.values()) if (wakeAt !== undefined) timeouts.nudge(wakeAt);
    if (record.row.revoke_at !== null) revocations.nudge(record.row.revoke_at);
  };
  const take = createIntake(core, save);
  const follow = followConnection(connection, subscriptions, sender, core, () => {
    timeouts.nudge(core.clock.now());
  });
  let isStopped = false;
  const arrive: RunningFleet['arrive'] = (arrival) =>
    isStopped ? Promise.reject(new Error('the server is stopping')) : take(arrival);

  const fleet = fleetOf(core, save, leaving);
  let greeting: Promise<void> = Promise.resolve();
  const greet = (): Promise<void> =>
    greetAfterRestore(core, fleet, () => isStopped).catch((fault: unknown) => {
      core.log.error({ err: fault }, 'devices could not be asked after the restore; the next start does it');
    });

  return {
    ...fleet,
    arrive,
    isConnected: () => connection.isUp(),
    start: async () => {
      await letGoOfRevoked(core, leaving);
      await sender.wakeOwed();
      timeouts.start();
      revocations.start();
      connection.begin(arrive, () => {
        if (!isStopped) void follow();
      });
      await follow();
      greeting = greet();
    },
    stop: async () => {
      isStopped = true;
      connection.end();
      timeouts.stop();
      revocations.stop();
      await sender.stop();
      await greeting;
      await leaving.settle();
      await core.lanes.settle();
      core.events.stop();
    },
  };
}

async function openCore(deps: FleetDeps, committed: Core['committed']): Promise<Core> {
  const { store, log } = deps;
  const meter = deps.meter ?? SILENT;
  return {
    ...deps,
    meter,
    delay: deps.delay ?? realDelay,
    keep: deps.keep ?? KEPT_PER_DEVICE,
    committed,
    lanes: createLanes(),
    records: createRecords(store.read),
    policies: await openJoinPolicies(store, deps.clock),
    events: await openEvents(store.read, log),
    deservesEntry: createEntryBudget(deps.clock),
  };
}

function fleetOf(core: Core, save: Save, leaving: Revocations): Fleet {
  const say = createWord(core, save);
  const command = createCommand(core, save);
  return {
    serverId: core.serverId,
    ...createQueries(core.store.read),
    command: (devices, order, by = PROGRAM) => command(devices, order, by),
    activate: (device, token, by = PROGRAM) => say(device, token, { on: 'activate' }, by),
    cancel: (device, token, by = PROGRAM) => say(device, token, { on: 'cancel' }, by),
    decideJoin: (device, token, verdict, by = PROGRAM) => say(device, token, { on: 'decide', verdict }, by),
    joinPolicy: async () => core.policies.all(),
    setJoinPolicy: (type, verdict, by = PROGRAM) => core.policies.set(type, verdict, by),
    rename: (device, name, by = PROGRAM) =>
      core.lanes.run(device, () => rename(core, save, device, name, by)),
    revoke: (id, by = PROGRAM) => leaving.revoke(id, by),
    watch: (listener, since) => core.events.watch(listener, since),
  };
}

/** Numbers and tokens belong to one server: with another's store it would say things twice, or not at all. */
async function claimStore(store: Store<FleetTables>, serverId: Identity): Promise<void> {
  const name = 'server';
  const value = identityText(serverId);
  await store.commit(async (write) => {
    const row = await write
      .selectFrom('settings')
      .select('value')
      .where('name', '=', name)
      .executeTakeFirst();
    if (row === undefined) await write.insertInto('settings').values({ name, value }).execute();
    else if (row.value !== value) {
      throw new StoreError(
        `The database belongs to the server ${row.value}, not to ${value}. Use the folder of that server.`,
      );
    }
  });
}

async function rename(core: Core, save: Save, device: string, name: string, by: Caller): Promise<DeviceView> {
  const wanted = name.trim();
  if (wanted.length === 0 || wanted.length > LONGEST_NAME || /\p{Cc}/u.test(wanted)) {
    throw new FleetError('invalid', `a name has 1 to ${LONGEST_NAME} printable characters`);
  }
  if (LIKE_AN_ID.test(wanted)) {
    throw new FleetError('invalid', 'a name must not look like the id of a device (13 to 16 hex digits)');
  }
  const record = await core.records.find(device);
  if (record === undefined) throw new FleetError('not-found', `no device ${device} is known`);
  const change = beginChange(record, core.clock.now());
  change.record = { ...record, row: { ...record.row, name: wanted } };
  change.orders.push({ kind: 'name', at: change.at, device, body: { name: wanted, by } });
  await save(change);
  return viewDevice({ ...change.record.row, proven_at: record.provenAt });
}
