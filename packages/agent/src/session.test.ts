import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectMqtt, systemClock, systemRandom, type MqttLink, silentLog } from '@srup/node';
import { until } from '@srup/node/testing';
import type { Noted } from '../test/performers.ts';
import { makeWorld, QUICK, type World } from '../test/world.ts';
import { homeAt } from './ground/home.ts';
import { openSession, type Session } from './session.ts';
import { realDisk } from './vault/disk.ts';
import { loadCredentials, type Credentials } from './vault/identity.ts';
import { openStore, type OpenStore } from './vault/store.ts';

let world: World;
let noted: Noted;
let session: Session;
let store: OpenStore;
let credentials: Credentials;
/** Links that nobody has closed. */
let links: Set<MqttLink>;

/** `bootId`: which start of the device this is. */
async function open(noted: Noted, bootId: string): Promise<Session> {
  const home = homeAt(world.home);
  await mkdir(home.state, { recursive: true });
  store = await openStore(join(home.state, 'journal'), realDisk, silentLog);
  return openSession(credentials, {
    config: { insecurePlainMqtt: false },
    ...{ store, bootId },
    ...{ log: silentLog, clock: systemClock, random: systemRandom, mqtt: QUICK },
    performers: noted.open(noted.surroundings!),
    facts: (self) => ({ self, identification: 'test', allowHttp: false }),
    onEvent: () => undefined,
    openLink: (options) => {
      const link = connectMqtt(options);
      const close = link.close.bind(link);
      links.add(link);
      link.close = async () => {
        await close();
        links.delete(link);
      };
      return link;
    },
  });
}

beforeEach(async () => {
  world = await makeWorld();
  const joined = await world.join();
  noted = joined.noted;
  await joined.agent.stop();
  credentials = (await loadCredentials(homeAt(world.home)))!;
  links = new Set();
  session = await open(noted, 'first');
  await until('connected', () => session.isConnected());
});
afterEach(async () => {
  await session.close();
  await store.close();
  await world.close();
});

test('a new certificate and a new address at the same time: both count, over one connection', async () => {
  const tlsCertificate = `${credentials.tlsCertificate}\n`;
  const identity = { ...credentials.identity, broker: credentials.identity.broker.toUpperCase() };
  await Promise.all([session.renew({ tlsCertificate }), session.renew({ identity })]);
  expect(session.credentials).toEqual({ ...credentials, tlsCertificate, identity });
  expect(links.size).toBe(1);
});

test('closed while it is being renewed, it is closed', async () => {
  const renewed = session.renew({});
  await Promise.all([session.close(), renewed]);
  expect(links.size).toBe(0);
  await session.renew({});
  expect(links.size).toBe(0);
});

test.each([
  ['second', 0x20],
  ['first', 0x2f],
])(
  'a reboot is answered at the next start, which was the %s of the device: %i (P 10.5)',
  async (bootId, status) => {
    noted.act = (_, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
      });
    const token = await world.c2.say('ACTION', { actionId: 4 });
    await until('it is under way', () => noted.asked.length === 1);
    await session.close();
    await store.close();
    expect(world.c2.count('RESPONSE', token)).toBe(0);
    session = await open(noted, bootId);
    expect((await world.c2.hear('RESPONSE', token)).message.body).toEqual({ status });
  },
);
