import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { systemClock, systemRandom } from '@srup/node';
import type { Clock, Random } from '@srup/protocol';
import type { IdentityDirectory } from '../../src/peers/directory.ts';
import { createFleet, type RunningFleet } from '../../src/fleet.ts';
import type { Delay, Log } from '@srup/node';
import type { FleetOptions, FleetPorts } from '../../src/fleet.ts';
import { openSqlite } from '../../src/store/sqlite/open.ts';
import { makeServer, until, type TestDevice, type TestServer } from './device.ts';
import { createTestLink, type TestLink } from './link.ts';
import type { Store } from '../../src/store/port.ts';
import { coreMigrations } from '../../src/store/schema/migrations.ts';
import type { CoreTables } from '../../src/store/schema/tables.ts';

export interface World {
  readonly server: TestServer;
  readonly file: string;
  readonly log: Log & { readonly lines: string[] };
  fleet: RunningFleet;
  store: Store<CoreTables>;
  link: TestLink;
  /** Ends the fleet in good order and begins a new one on the same file; the link is a new one, and connected. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly directory: IdentityDirectory;
  readonly server?: TestServer;
  readonly keys?: FleetPorts['keys'];
  readonly clock?: Clock;
  readonly delay?: Delay;
  readonly random?: Random;
  readonly keep?: FleetOptions['keep'];
  readonly meter?: FleetPorts['meter'];
  /** Puts something between the server and its store. */
  readonly wrapStore?: (store: Store<CoreTables>) => Store<CoreTables>;
}

export async function openWorld(options: WorldOptions): Promise<World> {
  const folder = await mkdtemp(joinPath(tmpdir(), 'srup-fleet-'));
  const server = options.server ?? (await makeServer());
  const file = joinPath(folder, 'server.db');
  const log = collectLog();
  const world: World = {
    server,
    file,
    log,
    ...(await open()),
    restart: async () => {
      await stop();
      Object.assign(world, await open());
    },
    close: async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return world;

  async function open(): Promise<Pick<World, 'fleet' | 'store' | 'link'>> {
    const opened = await openSqlite<CoreTables>(file, coreMigrations, {
      onCommitted: (ms) => options.meter?.committed(ms / 1000),
    });
    const store = options.wrapStore?.(opened) ?? opened;
    const link = createTestLink();
    const {
      clock = systemClock,
      random = systemRandom,
      directory,
      delay,
      keep,
      meter,
      keys = server.keys,
    } = options;
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

export function collectLog(): World['log'] {
  const lines: string[] = [];
  const keep = (level: string) => (fields: object, text: string) => {
    lines.push(
      `${level} ${text} ${JSON.stringify(fields, (_, value: unknown) => (value instanceof Error ? value.stack : value))}`,
    );
  };
  return { lines, debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') };
}

/** Lets the device in by policy and answers the question what it is. */
export async function join(
  world: World,
  device: TestDevice,
  identification = 'srup-agent/0.1.0 test',
): Promise<void> {
  await device.say(world.link, 'JOIN_REQ', {});
  await device.next(world.link, 'RESPONSE');
  const question = await device.next(world.link, 'ID_REQUEST');
  const data = new TextEncoder().encode(identification);
  await device.say(
    world.link,
    'DATA',
    { dataId: 'IDENTIFICATION_RESPONSE', data },
    new TextDecoder().decode(question.token),
  );
}

/** A clock that stands still until it is turned, and the waiting that follows it. */
export function turnedClock(start = Date.UTC(2026, 10, 21)) {
  let now = start;
  let waiting: { readonly at: number; readonly ring: () => void }[] = [];
  const clock: Clock = { now: () => now, monotonic: () => now - start, isTrusted: () => true };
  const delay: Delay = (ms, ring) => {
    const entry = { at: now + ms, ring };
    waiting.push(entry);
    return () => {
      waiting = waiting.filter((other) => other !== entry);
    };
  };
  const turn = (ms: number) => {
    now += ms;
    const due = waiting.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
    waiting = waiting.filter((entry) => !due.includes(entry));
    for (const { ring } of due) ring();
  };
  return { clock, delay, turn };
}

export { until };
