import { expect } from 'vitest';
import { connectMqtt, systemClock, systemRandom, type MqttLink } from '@srup/node';
import { until } from '@srup/node/testing';
import { encodeText, mqttClientId, STATUS, type Identity, type Message } from '@srup/protocol';
import { test as base } from '../../test/fixtures.ts';
import {
  directoryOf,
  makeDevice,
  tokenOf,
  type TestDevice,
  type TestServer,
} from '../../test/fleet/device.ts';
import { spoil } from '../../test/spoil.ts';
import type { Authority } from '../authority/authority.ts';
import { startBroker, type RunningBroker } from '../broker/broker.ts';
import { createFleet, type RunningFleet } from '../fleet.ts';

/** The fleet behind a real broker: TLS 1.3, client certificates, MQTT 3.1.1. */

const BACKOFF = { leastMs: 20, mostMs: 100 };

/** A fleet, the broker that it is connected to, and the devices that the key service knows, one of each suite. */
interface Site {
  readonly authority: Authority;
  readonly server: TestServer;
  readonly devices: readonly [TestDevice, TestDevice, TestDevice];
  readonly fleet: RunningFleet;
  readonly links: MqttLink[];
  broker: RunningBroker;
}

const test = base.extend('site', async ({ authority, server, store, log }, { onCleanup }): Promise<Site> => {
  const devices = [
    await makeDevice(server),
    await makeDevice(server, 'rsa-sha256'),
    await makeDevice(server, 'ml-dsa-65'),
  ] as const;
  const links: MqttLink[] = [];
  const broker = await openBroker({ authority, server }, 0);
  const link = await connect({ authority, broker, links }, server.id);
  const system = { clock: systemClock, random: systemRandom };
  const fleet = await createFleet({
    ...{ store, serverId: server.id, keys: server.keys, directory: directoryOf(...devices), link, log },
    ...system,
  });
  const site: Site = { authority, server, devices, fleet, links, broker };
  onCleanup(async () => {
    await fleet.stop();
    await Promise.all(links.map((one) => one.close()));
    await site.broker.close();
  });
  await fleet.start();
  await fleet.setJoinPolicy('*', 'accept');
  return site;
});

async function openBroker(
  { authority, server }: Pick<Site, 'authority' | 'server'>,
  port: number,
): Promise<RunningBroker> {
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

async function connect(
  { authority, broker, links }: Pick<Site, 'authority' | 'broker' | 'links'>,
  id: Identity,
): Promise<MqttLink> {
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
async function online(site: Site, device: TestDevice): Promise<Client> {
  const link = await connect(site, device.id);
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
      await until('a PUBACK', () =>
        link.publish(topic, bytes).then(
          () => true,
          () => false,
        ),
      );
    },
  };
}

const find = (client: Client, type: Message['type']) =>
  until(type, () => client.heard.find((message) => message.type === type));

async function update(site: Site, device: TestDevice): Promise<Client> {
  const { fleet } = site;
  const client = await online(site, device);
  const request = await device.write('JOIN_REQ', {});
  await client.publish(request.topic, request.bytes);
  // It confirms (P 10.7), so what gets lost with a broker is asked again.
  const asked = tokenOf(await find(client, 'ID_REQUEST'));
  const said = { dataId: 'IDENTIFICATION_RESPONSE', data: encodeText('srup-agent/0 of a test') };
  const identification = await device.write('DATA', said, { token: asked });
  await client.publish(identification.topic, identification.bytes);
  await until('its name', async () => (await fleet.device(device.text))?.confirms === true);
  const url = 'https://files.test/a';
  const digest = 'c'.repeat(64);
  await fleet.command([device.text], { kind: 'update', url, digest, activateAtOnce: true });
  const token = tokenOf(await find(client, 'INITIATE'));
  const staged = await device.write('RESPONSE', { status: STATUS.UPDATE_SUCCESS }, { token });
  await client.publish(staged.topic, staged.bytes);
  await find(client, 'ACTIVATE');
  const active = await device.write('RESPONSE', { status: STATUS.ACTIVATE_SUCCESS }, { token });
  await client.publish(active.topic, active.bytes);
  await until('the update', async () => (await fleet.device(device.text))?.running?.digest === digest);
  return client;
}

test('devices of every suite join, and are updated, at the same time', async ({ site }) => {
  const { fleet, devices } = site;
  await Promise.all(devices.map((device) => update(site, device)));
  expect(await fleet.refusalCounts()).toEqual({});
});

test('what the store could not take is brought again by the broker, and taken once', async ({
  site,
  store,
  log,
}) => {
  const { fleet, devices } = site;
  const [device] = devices;
  const client = await update(site, device);
  const mend = await spoil(store, 'is read-only');
  const data = await device.write('DATA', { dataId: 't', data: encodeText('1') });
  await client.publish(data.topic, data.bytes);
  await until('the connection to be dropped', () =>
    log.lines.some((line) => line.includes('could not be stored')),
  );
  await mend();
  await until('the data', async () => (await fleet.data({ device: device.text })).rows.length > 0);
  expect((await fleet.data({ device: device.text })).rows).toHaveLength(1);
  expect(await fleet.refusalCounts()).toEqual({});
});

test('connections that end in the middle of a flood: everything is stored once, in order, and nothing is refused', async ({
  site,
}) => {
  const { fleet, devices, links } = site;
  const [serverLink] = links;
  const clients = await Promise.all(devices.map((device) => update(site, device)));
  const values = Array.from({ length: 100 }, (_, index) => String(index));
  const sent = devices.map(async (device, index) => {
    for (const value of values) {
      const { topic, bytes } = await device.write('DATA', { dataId: 't', data: encodeText(value) });
      await clients[index]!.publish(topic, bytes);
      if (index === 0 && Number(value) % 20 === 10) serverLink!.drop('the test ends the connection');
    }
  });
  await Promise.all(sent);
  for (const device of devices) {
    const stored = () => fleet.data({ device: device.text, limit: 500 });
    await until('all', async () => (await stored()).rows.length >= values.length);
    expect((await stored()).rows.map(({ value }) => value).reverse()).toEqual(values);
  }
  expect(await fleet.refusalCounts()).toEqual({});
});

test('the broker dies and comes back without its memory: commands wait and arrive', async ({ site }) => {
  const { fleet, devices, broker } = site;
  const [device] = devices;
  const client = await update(site, device);
  const { port } = broker;
  await broker.close();
  const [receipt] = await fleet.command([device.text], { kind: 'action', actionId: 4 });
  expect(receipt).toMatchObject({ ok: true });
  site.broker = await openBroker(site, port);
  await find(client, 'ACTION');
});
