import { identityText, type Identity } from '@srup/protocol';
import type { MqttArrival } from '@srup/node';
import type { Kysely } from 'kysely';
import { FleetError, type Fleet } from '../contract.ts';
import { openJoinPolicies } from '../joindesk/policies.ts';
import { createCommit } from '../store/commit.ts';
import type { FleetTables } from '../store/tables.ts';
import { KEPT_PER_DEVICE } from '../store/trim.ts';
import { createIntake } from './arrive.ts';
import { beginChange, type Change } from './change.ts';
import { createCommand, createWord } from './command.ts';
import { createSave, type Core, type Save } from './core.ts';
import { realDelay, type FleetDeps } from './deps.ts';
import { exchangeAgenda, revocationAgenda } from './due.ts';
import { openEvents } from './events.ts';
import { createLanes } from './lanes.ts';
import { createQueries } from './queries.ts';
import { createRecords } from './records.ts';
import { createSender } from './sender.ts';
import { createSubscriptions } from './subscriptions.ts';
import { createTimer } from './timer.ts';
import { viewDevice } from './views.ts';

/** Characters of a name that an operator gives. */
const LONGEST_NAME = 100;
/** Before subscriptions that the broker refused are tried again, in milliseconds. */
const SUBSCRIBE_RETRY_MS = 5_000;

/** The C2 core as the composition root holds it. */
export interface RunningFleet extends Fleet {
  /** Takes up what was left open: messages that are owed, time-outs, subscriptions. */
  start(): Promise<void>;
  /** Resolves when nothing is being worked on any more. Then close the link and the store. */
  stop(): Promise<void>;
  /** A message from a transport. Acknowledge it when this resolves, and only then (P 5.3). */
  arrive(arrival: MqttArrival): Promise<void>;
}

/**
 * Takes the handlers of the link at once, so that a kept session loses nothing; what arrives waits for `start`.
 * Throws when the store belongs to another server.
 */
export function createFleet(deps: FleetDeps): Promise<RunningFleet> {
  let begin: (fleet: RunningFleet) => void = () => undefined;
  const started = new Promise<RunningFleet>((resolve) => (begin = resolve));
  const connection = { isUp: false, changed: (): void => undefined };
  deps.link.onMessage = async (arrival) => (await started).arrive(arrival);
  deps.link.onConnect = () => {
    connection.isUp = true;
    connection.changed();
  };
  deps.link.onDisconnect = (reason, retryMs) => {
    deps.log.warn({ reason, retryMs: Math.round(retryMs) }, 'the broker is away; what is owed waits');
    connection.isUp = false;
    connection.changed();
  };
  return openFleet(deps, connection, begin);
}

interface Connection {
  isUp: boolean;
  changed: () => void;
}

async function openFleet(
  deps: FleetDeps,
  connection: Connection,
  begin: (fleet: RunningFleet) => void,
): Promise<RunningFleet> {
  const { store, link, serverId, log, clock } = deps;
  const delay = deps.delay ?? realDelay;
  await claimStore(store, serverId);
  const commit = createCommit(store);
  const core: Core = {
    ...deps,
    delay,
    keep: deps.keep ?? KEPT_PER_DEVICE,
    commit,
    lanes: createLanes(),
    records: createRecords(store),
    policies: await openJoinPolicies(store, commit),
    events: await openEvents(store, log),
    committed,
  };
  const save: Save = createSave(core);
  const subscriptions = createSubscriptions(store, link, serverId);
  const timeouts = createTimer(exchangeAgenda(core, save), clock, delay, log);
  const revocations = createTimer(revocationAgenda(core, save, subscriptions), clock, delay, log);
  const sender = createSender(core, subscriptions, () => {
    timeouts.nudge(clock.now());
  });
  const take = createIntake(core, save);
  const say = createWord(core, save);
  let isStopped = false;
  let turn = 0;

  /** What a commit leaves to be done; all of it is found again in the store after a restart. */
  function committed({ record, outgoing, exchanges }: Change): void {
    if (outgoing.length > 0) sender.wake(record.row.id);
    for (const { wakeAt } of exchanges.values()) if (wakeAt !== undefined) timeouts.nudge(wakeAt);
    if (record.row.revoke_at !== null) revocations.nudge(record.row.revoke_at);
  }

  /** Sends only when the answers can be heard. */
  async function followLink(): Promise<void> {
    const mine = ++turn;
    const isOver = () => mine !== turn || !connection.isUp || isStopped;
    sender.shut();
    subscriptions.forget();
    if (isOver()) return;
    try {
      await subscriptions.refresh();
      if (!isOver()) sender.open();
    } catch (fault) {
      if (isOver()) return; // it comes back by itself, and so do we
      log.error({ err: fault }, 'the broker did not take the subscriptions; they are tried again');
      delay(SUBSCRIBE_RETRY_MS, () => void followLink());
    }
  }

  const fleet: RunningFleet = {
    serverId,
    ...createQueries(store),
    command: createCommand(core, save),
    activate: (device, token) => say(device, token, { on: 'activate' }, 'operator'),
    cancel: (device, token) => say(device, token, { on: 'cancel' }, 'operator'),
    decideJoin: (device, token, verdict, by = 'operator') => say(device, token, { on: 'decide', verdict }, by),
    joinPolicy: async () => core.policies.all(),
    setJoinPolicy: (type, verdict) => core.policies.set(type, verdict),
    rename: (device, name) => core.lanes.run(device, () => rename(core, save, device, name)),
    watch: (listener, since) => core.events.watch(listener, since),
    arrive: (arrival) => (isStopped ? Promise.reject(new Error('the server is stopping')) : take(arrival)),
    start: async () => {
      await sender.wakeOwed();
      timeouts.start();
      revocations.start();
      connection.changed = () => void followLink();
      begin(fleet);
      await followLink();
    },
    stop: async () => {
      isStopped = true;
      timeouts.stop();
      revocations.stop();
      await sender.stop();
      await core.lanes.settle();
      core.events.stop();
    },
  };
  return fleet;
}

/** Numbers and tokens belong to one server: with another's store it would say things twice, or not at all. */
async function claimStore(store: Kysely<FleetTables>, serverId: Identity): Promise<void> {
  const name = 'server';
  const value = identityText(serverId);
  const row = await store.selectFrom('settings').select('value').where('name', '=', name).executeTakeFirst();
  if (row === undefined) await store.insertInto('settings').values({ name, value }).execute();
  else if (row.value !== value) {
    throw new Error(`The database belongs to the server ${row.value}, not to ${value}. Use the folder of that server.`);
  }
}

async function rename(core: Core, save: Save, device: string, name: string) {
  const wanted = name.trim();
  if (wanted.length === 0 || wanted.length > LONGEST_NAME || /\p{Cc}/u.test(wanted)) {
    throw new FleetError('invalid', `a name has 1 to ${LONGEST_NAME} printable characters`);
  }
  const record = await core.records.find(device);
  if (record === undefined) throw new FleetError('not-found', `no device ${device} is known`);
  const change = beginChange(record, core.clock.now());
  change.record = { ...record, row: { ...record.row, name: wanted } };
  await save(change);
  return viewDevice({ ...change.record.row, proven_at: record.provenAt });
}
