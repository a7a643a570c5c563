import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectMqtt, systemClock, systemRandom, type MqttLink } from '@srup/node';
import { encodeText, mqttClientId, STATUS, type Identity, type Message } from '@srup/protocol';
import {
  directoryOf,
  makeDevice,
  makeServer,
  tokenOf,
  until,
  type TestDevice,
  type TestServer,
} from '../../test/fleet/device.ts';
import { collectLog } from '../../test/fleet/world.ts';
import { openAuthority, type Authority } from '../authority/authority.ts';
import { makeCaCertificate } from '../authority/ca.ts';
import { makeTlsKey } from '../authority/keys.ts';
import { startBroker, type RunningBroker } from '../broker/broker.ts';
import { coreMigrations as coreMigrations } from '../store/schema/migrations.ts';
import type { CoreTables as CoreTables } from '../store/schema/tables.ts';
import { openSqlite } from '../store/sqlite/open.ts';
import { createFleet, type RunningFleet } from '../fleet.ts';
import type { Store } from '../store/port.ts';
import { behind } from '../../test/store.ts';

/** The fleet behind a real broker: TLS 1.3, client certificates, MQTT 3.1.1. */

const BACKOFF = { leastMs: 20, mostMs: 100 };

let folder: string;
let authority: Authority;
let server: TestServer;
let devices: TestDevice[];
let broker: RunningBroker;
let store: Store<CoreTables>;
let fleet: RunningFleet;
const log = collectLog();
const links: MqttLink[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-broker-'));
  const caKey = await makeTlsKey();
  authority = await openAuthority(
    caKey,
    await makeCaCertificate(caKey, 'test', systemClock, systemRandom),
    systemClock,
    systemRandom,
  );
  server = await makeServer();
  devices = [
    await makeDevice(server),
    await makeDevice(server, 'rsa-sha256'),
    await makeDevice(server, 'ml-dsa-65'),
  ];
  broker = await openBroker(0);
  store = await openSqlite<CoreTables>(join(folder, 'server.db'), coreMigrations);
  const link = await connect(server.id);
  fleet = await createFleet({
    store,
    serverId: server.id,
    keys: server.keys,
    directory: directoryOf(...devices),
    link,
    clock: systemClock,
    random: systemRandom,
    log,
  });
  await fleet.start();
  await fleet.setJoinPolicy('*', 'accept');
});

afterEach(async () => {
  await fleet.stop();
  await Promise.all(links.splice(0).map((link) => link.close()));
  await broker.close();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

async function openBroker(port: number): Promise<RunningBroker> {
  const credential = await authority.issueServer(['127.0.0.1']);
  const tls = { credential, ca: authority.caPem, crl: await authority.revocationList([]) };
  return startBroker(
    { host: '127.0.0.1', port, serverId: server.id, tls },
    {
      clock: systemClock,
      isAllowed: async () => true,
      onRefusal: () => undefined,
      warn: () => undefined,
    },
  );
}

async function connect(id: Identity): Promise<MqttLink> {
  const { chain, key } = await authority.issueClient(id);
  const link = connectMqtt({
    url: `mqtts://127.0.0.1:${broker.port}`,
    clientId: mqttClientId(id),
    ca: authority.caPem,
    cert: chain,
    key,
    clean: false,
    backoff: BACKOFF,
  });
  links.push(link);
  return link;
}

interface Client {
  readonly heard: Message[];
  publish(topic: string, bytes: Uint8Array): Promise<void>;
}

/** The device's own connection; what it accepts is heard once. */
async function online(device: TestDevice): Promise<Client> {
  const link = await connect(device.id);
  const heard: Message[] = [];
  link.onMessage = async ({ bytes }) => {
    const message = device.hear(bytes);
    if (typeof message !== 'string') heard.push(message);
  };
  /** A broker without memory has to be told again, and so has the server: what was on its way is lost. */
  const greet = async (isBack: boolean): Promise<void> => {
    await link.subscribe([device.topic]);
    if (!isBack) return;
    const greeting = await device.write('JOIN_REQ', {});
    await link.publish(greeting.topic, greeting.bytes);
  };
  let isBack = false;
  await new Promise<void>((resolve) => {
    link.onConnect = () => {
      greet(isBack).then(resolve, () => undefined);
      isBack = true;
    };
  });
  return {
    heard,
    publish: async (topic, bytes) => {
      await until(() =>
        link.publish(topic, bytes).then(
          () => true,
          () => false,
        ),
      );
    },
  };
}

const find = (client: Client, type: Message['type']) =>
  until(() => client.heard.find((message) => message.type === type), type);

async function update(device: TestDevice): Promise<Client> {
  const client = await online(device);
  const request = await device.write('JOIN_REQ', {});
  await client.publish(request.topic, request.bytes);
  // It confirms (P 10.7), so what gets lost with a broker is asked again.
  const asked = tokenOf(await find(client, 'ID_REQUEST'));
  const said = { dataId: 'IDENTIFICATION_RESPONSE', data: encodeText('srup-agent/0 of a test') };
  const identification = await device.write('DATA', said, asked);
  await client.publish(identification.topic, identification.bytes);
  await until(async () => (await fleet.device(device.text))?.confirms === true);
  const url = 'https://files.test/a';
  const digest = 'c'.repeat(64);
  await fleet.command([device.text], { kind: 'update', url, digest, activateAtOnce: true });
  const token = tokenOf(await find(client, 'INITIATE'));
  const staged = await device.write('RESPONSE', { status: STATUS.UPDATE_SUCCESS }, token);
  await client.publish(staged.topic, staged.bytes);
  await find(client, 'ACTIVATE');
  const active = await device.write('RESPONSE', { status: STATUS.ACTIVATE_SUCCESS }, token);
  await client.publish(active.topic, active.bytes);
  await until(async () => (await fleet.device(device.text))?.running?.digest === digest);
  return client;
}

test('devices of every suite join, and are updated, at the same time', async () => {
  await Promise.all(devices.map(update));
  expect(await fleet.refusalCounts()).toEqual({});
});

test('what the store could not take is brought again by the broker, and taken once', async () => {
  const [device] = devices as [TestDevice];
  const client = await update(device);
  await sql`pragma query_only = on`.execute(behind(store));
  const data = await device.write('DATA', { dataId: 't', data: encodeText('1') });
  await client.publish(data.topic, data.bytes);
  await until(
    () => log.lines.some((line) => line.includes('could not be stored')),
    'the connection to be dropped',
  );
  await sql`pragma query_only = off`.execute(behind(store));
  await until(async () => (await fleet.data({ device: device.text })).rows.length > 0);
  expect((await fleet.data({ device: device.text })).rows).toHaveLength(1);
  expect(await fleet.refusalCounts()).toEqual({});
});

test('the broker dies and comes back without its memory: commands wait and arrive', async () => {
  const [device] = devices as [TestDevice];
  const client = await update(device);
  const { port } = broker;
  await broker.close();
  const [receipt] = await fleet.command([device.text], { kind: 'action', actionId: 4 });
  expect(receipt).toMatchObject({ ok: true });
  broker = await openBroker(port);
  await find(client, 'ACTION');
});
