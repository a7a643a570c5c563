import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { systemClock, systemRandom, type Delay } from '@srup/node';
import { fakeLink, type FakeLink } from '@srup/node/testing';
import { encodeText, STATUS, type Caller, type Clock, type Random, type TokenKey } from '@srup/protocol';
import type { ManualClock, Written } from '@srup/protocol/testing';
import { createFleet, type FleetOptions, type FleetPorts, type RunningFleet } from '../../src/fleet.ts';
import type { IdentityDirectory } from '../../src/peers/directory.ts';
import type { StorePlace } from '../../src/store/open.ts';
import type { Store, StoreOptions } from '../../src/store/port.ts';
import { coreMigrations } from '../../src/store/schema/migrations.ts';
import type { CoreTables } from '../../src/store/schema/tables.ts';
import { openStore as openStoreAt, placeFor } from '../database.ts';
import { collectLog, type CollectedLog } from '../log.ts';
import { tokenOf, type TestDevice, type TestServer } from './device.ts';

/** A fleet on a store in a folder of its own, behind a fake link. */
export interface World {
  readonly server: TestServer;
  /** A folder of its own. On SQLite its database is in it. */
  readonly folder: string;
  readonly place: StorePlace;
  readonly log: CollectedLog;
  fleet: RunningFleet;
  store: Store<CoreTables>;
  link: FakeLink;
  /** Ends the fleet in good order and begins a new one on the same database. The link is a new one, and connected. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly server: TestServer;
  readonly directory: IdentityDirectory;
  readonly keys?: FleetPorts['keys'];
  /** A clock that the test moves, and the timers that follow it. By default time is real. */
  readonly time?: ManualClock;
  /** A clock without timers of its own. */
  readonly clock?: Clock;
  readonly delay?: Delay;
  readonly random?: Random;
  readonly keep?: FleetOptions['keep'];
  readonly meter?: FleetPorts['meter'];
  /** Opens the store; by default a file of SQLite. */
  readonly openStore?: (options: StoreOptions) => Promise<Store<CoreTables>>;
  /** Puts something between the server and its store. */
  readonly wrapStore?: (store: Store<CoreTables>) => Store<CoreTables>;
}

export async function openWorld(options: WorldOptions): Promise<World> {
  const folder = await mkdtemp(joinPath(tmpdir(), 'srup-fleet-'));
  const { server } = options;
  const removals: (() => Promise<void>)[] = [];
  const place = await placeFor(folder, (remove) => removals.push(remove));
  const log = collectLog();
  const world: World = {
    server,
    folder,
    place,
    log,
    ...(await open()),
    restart: async () => {
      await stop();
      Object.assign(world, await open());
    },
    close: async () => {
      await stop();
      for (const remove of removals) await remove();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return world;

  async function open(): Promise<Pick<World, 'fleet' | 'store' | 'link'>> {
    const { openStore = (how: StoreOptions) => openStoreAt<CoreTables>(place, coreMigrations, how) } =
      options;
    const opened = await openStore({
      onCommitted: (ms) => options.meter?.committed(ms / 1000),
    });
    const store = options.wrapStore?.(opened) ?? opened;
    const link = fakeLink();
    const { time, directory, keep, meter, random = systemRandom, keys = server.keys } = options;
    const { clock = time ?? systemClock, delay = time?.delay } = options;
    const optional = { ...(delay && { delay }), ...(meter && { meter }) };
    const ports = { store, serverId: server.id, keys, directory, link, clock, random, log, ...optional };
    const fleet = await createFleet(ports, { ...(keep && { keep }) });
    await fleet.start();
    link.connect();
    return { fleet, store, link };
  }

  async function stop(): Promise<void> {
    await world.fleet.stop();
    await world.link.close();
    await world.store.close();
  }
}

/** Lets every device in that asks. */
export function acceptAll({ fleet }: World, by?: Caller): Promise<void> {
  return fleet.setJoinPolicy('*', 'accept', by);
}

/** The device asks to join, is let in by the policy, and answers the question what it is. */
export async function join(
  { link }: World,
  device: TestDevice,
  identification = 'srup-agent/0.1.0 test',
): Promise<void> {
  await device.say(link, 'JOIN_REQ', {});
  await device.next(link, 'RESPONSE');
  await identify(link, device, identification);
}

/** The device answers the question what it is. */
export async function identify(link: FakeLink, device: TestDevice, identification: string): Promise<void> {
  const question = tokenOf(await device.next(link, 'ID_REQUEST'));
  const data = encodeText(identification);
  await device.say(link, 'DATA', { dataId: 'IDENTIFICATION_RESPONSE', data }, question);
}

/** The device sends a value by itself, as text. */
export function report(
  { link }: World,
  device: TestDevice,
  value: string | number,
  dataId = 't',
): Promise<Written> {
  return device.say(link, 'DATA', { dataId, data: encodeText(String(value)) });
}

export interface UpdateWish {
  readonly digest: string;
  /** By default true. */
  readonly activateAtOnce?: boolean;
  readonly isRollback?: true;
  readonly by?: Caller;
}

/** Orders an update, which the device stages: INITIATE to the receipt for it. */
export async function stage(world: World, device: TestDevice, wish: UpdateWish): Promise<TokenKey> {
  const { digest, activateAtOnce = true, isRollback, by } = wish;
  const url = 'https://files.test/a';
  const order = { kind: 'update', url, digest, activateAtOnce, ...(isRollback && { isRollback }) } as const;
  await world.fleet.command([device.text], order, by);
  const token = tokenOf(await device.next(world.link, 'INITIATE'));
  await device.say(world.link, 'RESPONSE', { status: STATUS.UPDATE_SUCCESS }, token);
  return token;
}

/** Orders an update, which the device stages and then activates with this status: INITIATE to the last receipt. */
export async function update(
  world: World,
  device: TestDevice,
  wish: UpdateWish,
  status: number = STATUS.ACTIVATE_SUCCESS,
): Promise<TokenKey> {
  const token = await stage(world, device, wish);
  await device.next(world.link, 'ACTIVATE');
  await device.say(world.link, 'RESPONSE', { status }, token);
  return token;
}
