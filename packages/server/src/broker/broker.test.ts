import { once } from 'node:events';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { generateKeys, newIdentity, systemClock, systemRandom, type Secret } from '@srup/node';
import { until } from '@srup/node/testing';
import {
  deviceTopic,
  identityText,
  joinFilter,
  joinTopic,
  mqttClientId,
  type Clock,
  type Identity,
} from '@srup/protocol';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makePair, requestCertificate } from '../../test/authority.ts';
import {
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  PublicKey,
  X509CertificateGenerator,
} from '../../test/x509.ts';
import { openAuthority, type Authority, type Credential } from '../authority/authority.ts';
import { makeCaCertificate } from '../authority/ca.ts';
import { makeTlsKey, newSerial, parseKey } from '../authority/keys.ts';
import { startBroker, type BrokerPorts, type RunningBroker } from './broker.ts';
import type { BrokerRefusal } from './refusals.ts';
import type { RefusalCode } from './rules.ts';
import { DEVICE_PACE } from './doors/pace.ts';
import { DEVICE_QUEUE } from './session.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const YEAR = 365 * 86_400_000;
const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const server = 0xb9d077e223834cf6n;

let caKey: Secret;
let ca: string;
let authority: Authority;
let emptyCrl: string;
let srupKey: string;
let tlsCredential: Credential;
let serverCredential: Credential;

/** The CA is three years old, so that it can have certificates that ended. */
const then: Clock = { ...systemClock, now: () => Date.now() - 3 * YEAR };

beforeAll(async () => {
  caKey = await makeTlsKey();
  ca = makeCaCertificate(caKey, 'test', then, systemRandom);
  authority = openAuthority(caKey, ca, systemClock, systemRandom);
  emptyCrl = await authority.revocationList([]);
  srupKey = (await generateKeys('ed25519')).signing.publicPem;
  tlsCredential = await authority.issueServer(['127.0.0.1']);
  serverCredential = await authority.issueClient(server);
});

interface Device {
  readonly id: Identity;
  readonly topic: string;
  readonly key: string;
  readonly cert: string;
  readonly serial: string;
}

async function makeDevice(issuer = authority): Promise<Device> {
  const id = newIdentity(systemRandom);
  const pair = makePair();
  const issued = await issuer.issueDevice(id, await requestCertificate(identityText(id), pair), srupKey);
  if (!issued.ok) throw new Error(issued.message);
  return {
    id,
    topic: deviceTopic(id),
    key: pemOf(pair.privateKey),
    cert: issued.certificate.pem,
    serial: issued.certificate.serial,
  };
}

function pemOf(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }).toString();
}

const serverDevice = (): Device => ({
  id: server,
  topic: deviceTopic(server),
  key: serverCredential.key.reveal(),
  cert: serverCredential.chain,
  serial: '',
});

let broker: RunningBroker;
let refusals: BrokerRefusal[];
let warnings: string[];
let clients: MqttClient[];
let allowed: (id: Identity) => Promise<boolean>;

beforeEach(async () => {
  refusals = [];
  warnings = [];
  clients = [];
  allowed = () => Promise.resolve(true);
  broker = await start();
});

afterEach(async () => {
  await Promise.all(clients.map((client) => client.endAsync(true)));
  await broker.close();
});

const place = { host: '127.0.0.1', port: 0, serverId: server };
const ports: BrokerPorts = {
  clock: systemClock,
  isAllowed: (id) => allowed(id),
  onRefusal: (refusal) => refusals.push(refusal),
  warn: (message) => warnings.push(message),
};

/** The server has been there, so the broker lets devices in. */
async function start(): Promise<RunningBroker> {
  broker = await startAlone();
  const c2 = await connect(serverDevice());
  await subscribe(c2, joinFilter(server));
  await c2.client.endAsync();
  await until('the server is away', () => broker.stats().connected === 0);
  return broker;
}

function startAlone(): Promise<RunningBroker> {
  return startBroker({ ...place, tls: { credential: tlsCredential, ca, crl: emptyCrl } }, ports);
}

const codes = (): RefusalCode[] => refusals.map(({ code }) => code);
const sawRefusal = (code: RefusalCode, id?: Identity) =>
  until(code, () => refusals.some((refusal) => refusal.code === code && refusal.identity === id));

/** A real client: its messages, and how its connection ended. */
interface Link {
  readonly client: MqttClient;
  readonly got: { readonly topic: string; readonly text: string }[];
  sessionPresent: boolean;
  ended: string | undefined;
}

function open(device: Device, options: IClientOptions = {}): Link {
  const client = mqtt.connect({
    protocol: 'mqtts',
    host: '127.0.0.1',
    port: broker.port,
    clientId: mqttClientId(device.id),
    key: device.key,
    cert: device.cert,
    ca,
    clean: true,
    reconnectPeriod: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    ...options,
  });
  clients.push(client);
  const link: Link = { client, got: [], sessionPresent: false, ended: undefined };
  client.on('message', (topic, payload) => link.got.push({ topic, text: payload.toString() }));
  client.on('connect', ({ sessionPresent }) => (link.sessionPresent = sessionPresent));
  client.on('error', (error) => (link.ended ??= error.message));
  client.on('close', () => (link.ended ??= 'closed'));
  return link;
}

async function connect(device: Device, options: IClientOptions = {}): Promise<Link> {
  const link = open(device, options);
  await until('connection', () => link.client.connected || link.ended !== undefined);
  if (link.ended !== undefined) throw new Error(link.ended);
  return link;
}

/** How a connection that must not come about ends. */
async function fails(device: Device, options: IClientOptions = {}): Promise<string> {
  const link = open(device, options);
  await until('refusal', () => link.ended !== undefined);
  expect(link.client.connected).toBe(false);
  return link.ended!;
}

/** The codes that a SUBSCRIBE was answered with: 128 is refused. */
async function subscribe({ client }: Link, ...filters: string[]): Promise<number[]> {
  return new Promise((resolve, reject) => {
    client.subscribe(filters, { qos: 1 }, (error, _, packet) => {
      const granted = (packet as { granted?: number[] } | undefined)?.granted;
      if (granted !== undefined) resolve(granted);
      else reject(error ?? new Error('no answer'));
    });
  });
}

/** Sends, and waits until the broker ended the connection for it. */
async function publishRefused(
  link: Link,
  topic: string,
  options: { qos?: 0 | 1 | 2; retain?: boolean } = {},
): Promise<void> {
  link.client.publish(topic, 'refused', { qos: 1, ...options }, () => undefined);
  await until('end of the connection', () => link.ended !== undefined);
}

/** A device, a sibling and the server, all subscribed as they should be. */
async function fleet() {
  const [one, sibling] = await Promise.all([makeDevice(), makeDevice()]);
  const c2 = await connect(serverDevice());
  expect(await subscribe(c2, joinFilter(server), one.topic, sibling.topic)).toEqual([1, 1, 1]);
  const links = { one: await connect(one), sibling: await connect(sibling), c2 };
  expect(await subscribe(links.one, one.topic)).toEqual([1]);
  expect(await subscribe(links.sibling, sibling.topic)).toEqual([1]);
  return { one, sibling, links };
}

describe('what P 7 provides for', () => {
  test('works: joins and messages both ways reach those that they are for', async () => {
    const { one, sibling, links } = await fleet();
    await links.one.client.publishAsync(joinTopic(server, one.id), 'join', { qos: 1 });
    await links.one.client.publishAsync(one.topic, 'up', { qos: 1 });
    await links.c2.client.publishAsync(sibling.topic, 'down', { qos: 1 });
    await until(
      'messages',
      () => links.c2.got.length === 3 && links.sibling.got.length === 1 && links.one.got.length === 1,
    );
    expect(links.c2.got.map(({ text }) => text).sort()).toEqual(['down', 'join', 'up']);
    expect(links.sibling.got).toEqual([{ topic: sibling.topic, text: 'down' }]);
    expect(links.one.got).toEqual([{ topic: one.topic, text: 'up' }]); // P 5.5
    expect(refusals).toEqual([]);
    expect(broker.stats()).toMatchObject({ connected: 3, refusals: {} });
  });

  test('a message of the largest size passes', async () => {
    const { one, links } = await fleet();
    await links.c2.client.publishAsync(one.topic, 'x'.repeat(65_535), { qos: 1 });
    await until('message', () => links.one.got.length === 1);
    expect(links.one.got[0]!.text).toHaveLength(65_535);
  });

  test('QoS 0 is accepted too, and takes nothing away from QoS 1', async () => {
    const { one, sibling, links } = await fleet();
    const wanted = 300;
    for (let i = 0; i < wanted; i += 1) {
      links.one.client.publish(one.topic, `0-${i}`, { qos: 0 });
      links.one.client.publish(one.topic, `1-${i}`, { qos: 1 });
      links.sibling.client.publish(sibling.topic, `2-${i}`, { qos: 1 });
    }
    const arrived = () =>
      new Set(links.c2.got.map(({ text }) => text).filter((text) => !text.startsWith('0-')));
    await until('all messages of QoS 1', () => arrived().size === 2 * wanted);
  });

  test('a session is kept while its client is away', async () => {
    const one = await makeDevice();
    const first = await connect(one, { clean: false });
    await subscribe(first, one.topic);
    await first.client.endAsync();
    const c2 = await connect(serverDevice());
    for (const text of ['a', 'b', 'c']) await c2.client.publishAsync(one.topic, text, { qos: 1 });
    await until('queue', () => broker.stats().waiting.messages === 3);
    const second = await connect(one, { clean: false });
    expect(second.sessionPresent).toBe(true);
    await until('messages', () => second.got.length === 3);
    expect(second.got.map(({ text }) => text)).toEqual(['a', 'b', 'c']);
    await until('acknowledgements', () => broker.stats().waiting.messages === 0);
    await second.client.unsubscribeAsync(one.topic);
    expect(broker.stats()).toMatchObject({ sessions: 0, waiting: { messages: 0, bytes: 0 } });
  });

  test('a message that was not acknowledged is delivered again', async () => {
    const one = await makeDevice();
    const first = await connect(one, { clean: false });
    await subscribe(first, one.topic);
    first.client.handleMessage = () => undefined; // never acknowledges
    const c2 = await connect(serverDevice());
    await c2.client.publishAsync(one.topic, 'again', { qos: 1 });
    await until('delivery', () => first.got.length === 1);
    await first.client.endAsync(true);
    const second = await connect(one, { clean: false });
    await until('second delivery', () => second.got.length === 1);
    expect(second.got[0]!.text).toBe('again');
  });

  test('the newer connection of one certificate replaces the older', async () => {
    const one = await makeDevice();
    const older = await connect(one);
    const newer = await connect(one);
    await until('end of the older', () => older.ended !== undefined);
    expect(await subscribe(newer, one.topic)).toEqual([1]);
    expect(broker.stats().connected).toBe(1);
  });
});

describe('a connection is refused', () => {
  test('without a certificate', async () => {
    const one = await makeDevice();
    await fails(one, { key: undefined, cert: undefined } as unknown as IClientOptions);
    await sawRefusal('BROKER_TLS');
    await connect(one);
  });

  test('with a certificate of another CA', async () => {
    const key = await makeTlsKey();
    const other = openAuthority(
      key,
      makeCaCertificate(key, 'test', systemClock, systemRandom),
      systemClock,
      systemRandom,
    );
    await fails(await makeDevice(other));
    await sawRefusal('BROKER_TLS');
    await connect(await makeDevice());
  });

  test('with a certificate that has expired', async () => {
    await fails(await makeDevice(openAuthority(caKey, ca, then, systemRandom)));
    await sawRefusal('BROKER_TLS');
    expect(refusals[0]!.detail).toMatch(/EXPIRED/);
  });

  test('with a certificate that is not for clients', async () => {
    const { key, chain } = await authority.issueServer(['127.0.0.1']);
    await fails({ ...(await makeDevice()), key: key.reveal(), cert: chain });
    await sawRefusal('BROKER_TLS');
  });

  test('with a certificate whose name is not an identity', async () => {
    for (const subject of [
      'CN=+',
      'CN=B9D077E223834CF6',
      'CN=0b9d077e223834cf6',
      'O=nobody',
      `CN=${identityText(1n)},CN=${identityText(2n)}`,
    ]) {
      refusals.length = 0;
      const key = await makeTlsKey();
      const certificate = await X509CertificateGenerator.create({
        serialNumber: newSerial(systemRandom),
        subject,
        issuer: 'CN=SRUP CA test',
        notBefore: new Date(Date.now() - 1000),
        notAfter: new Date(Date.now() + 3_600_000),
        signingKey: parseKey(caKey).toCryptoKey(EC, false, ['sign']),
        publicKey: new PublicKey(createPublicKey(key.reveal()).export({ format: 'der', type: 'spki' })),
        signingAlgorithm: EC,
        extensions: [new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth])],
      });
      await fails({ ...(await makeDevice()), key: key.reveal(), cert: certificate.toString('pem') });
      await sawRefusal('BROKER_IDENTITY');
    }
  });

  test('with a revoked certificate, from the moment that the list says so', async () => {
    const [one, other] = await Promise.all([makeDevice(), makeDevice()]);
    await (await connect(one)).client.endAsync();
    broker.setTls({ crl: await authority.revocationList([{ serial: one.serial, revokedAt: Date.now() }]) });
    await fails(one);
    await sawRefusal('BROKER_TLS');
    expect(refusals[0]!.detail).toMatch(/REVOKED/);
    await connect(other);
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'with a session of %s that began before: none is resumed',
    async (version) => {
      const one = await makeDevice();
      const dial = (session?: Buffer) => {
        const tls = { ca, key: one.key, cert: one.cert, minVersion: version, maxVersion: version };
        const socket = connectTls({
          host: '127.0.0.1',
          port: broker.port,
          ...tls,
          ...(session && { session }),
        });
        return socket.on('error', () => undefined);
      };
      const first = dial();
      let session: Buffer | undefined;
      first.on('session', (ticket) => (session = ticket));
      await once(first, 'secureConnect');
      // CONNECT and its answer: a ticket of TLS 1.3 would come before.
      first.write(connectPacket(one));
      await once(first, 'data');
      first.destroy();

      const second = dial(session ?? first.getSession());
      await once(second, 'secureConnect');
      expect(second.isSessionReused()).toBe(false);
      second.destroy();

      broker.setTls({ crl: await authority.revocationList([{ serial: one.serial, revokedAt: Date.now() }]) });
      await closed(dial(session ?? first.getSession()));
      await sawRefusal('BROKER_TLS');
    },
  );

  test('of an identity that is not certified, or was revoked', async () => {
    const [one, other] = await Promise.all([makeDevice(), makeDevice()]);
    allowed = (id) => Promise.resolve(id !== one.id);
    expect(await fails(one)).toMatch(/Not authorized/i);
    await sawRefusal('BROKER_REVOKED', one.id);
    await connect(other);
  });

  test('while its standing cannot be looked up; the next try succeeds', async () => {
    const one = await makeDevice();
    allowed = () => Promise.reject(new Error('the database is away'));
    expect(await fails(one)).toMatch(/Server unavailable/i);
    await sawRefusal('BROKER_UNAVAILABLE', one.id);
    expect(warnings.join()).toContain('the database is away');
    allowed = () => Promise.resolve(true);
    await connect(one);
  });

  test('under another’s client id; the other one stays connected', async () => {
    const [thief, victim] = await Promise.all([makeDevice(), makeDevice()]);
    const link = await connect(victim);
    await subscribe(link, victim.topic);
    expect(await fails(thief, { clientId: mqttClientId(victim.id) })).toMatch(/Identifier rejected/i);
    await sawRefusal('BROKER_CLIENT_ID', thief.id);
    const c2 = await connect(serverDevice());
    await c2.client.publishAsync(victim.topic, 'still there', { qos: 1 });
    await until('message', () => link.got.length === 1);
    expect(link.ended).toBeUndefined();
  });

  test.each(['', 'device', mqttClientId(server), '__proto__', 'SRUP Client: +', 'x'.repeat(60_000)])(
    'under the client id %#',
    async (clientId) => {
      const one = await makeDevice();
      await fails(one, { clientId });
      await sawRefusal('BROKER_CLIENT_ID', one.id);
      expect(refusals[0]!.detail.length).toBeLessThan(200);
    },
  );

  test('with a will', async () => {
    const one = await makeDevice();
    const c2 = await connect(serverDevice());
    await subscribe(c2, one.topic);
    const will = { topic: one.topic, payload: Buffer.from('late'), qos: 1 as const, retain: false };
    expect(await fails(one, { will })).toMatch(/Not authorized/i);
    await sawRefusal('BROKER_WILL', one.id);
    const link = await connect(one);
    await link.client.publishAsync(one.topic, 'live', { qos: 1 });
    await until('message', () => c2.got.length > 0);
    expect(c2.got.map(({ text }) => text)).toEqual(['live']);
  });

  test('in MQTT 5', async () => {
    expect(await fails(await makeDevice(), { protocolVersion: 5 })).toMatch(/protocol version/i);
    await until('refusal', () => codes().includes('BROKER_PROTOCOL'));
  });

  test('when it does not speak MQTT; the broker goes on', async () => {
    const one = await makeDevice();
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\x00\x00', '\x10\x02\x00\x00', '\xff'.repeat(100)]) {
      const socket = await rawConnection(one);
      socket.write(Buffer.from(bytes, 'latin1'));
      await closed(socket);
    }
    const plain = connectTcp(broker.port, '127.0.0.1');
    plain.on('error', () => undefined);
    plain.write('not TLS at all');
    await closed(plain);
    await connect(one);
  });
});

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) =>
    socket.once('close', () => {
      resolve();
    }),
  );
}

function connectPacket({ id }: Device): Buffer {
  const clientId = Buffer.from(mqttClientId(id));
  const body = Buffer.concat([
    Buffer.from('00044d5154540402003c00', 'hex'),
    Buffer.from([clientId.length]),
    clientId,
  ]);
  return Buffer.concat([Buffer.from([0x10, body.length]), body]);
}

async function rawConnection(device: Device): Promise<TLSSocket> {
  const socket = connectTls({ host: '127.0.0.1', port: broker.port, ca, key: device.key, cert: device.cert });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

describe('a device may not publish', () => {
  test.each([
    ['to a sibling', (_: Device, sibling: Device) => sibling.topic],
    ['a sibling’s join', (_: Device, sibling: Device) => joinTopic(server, sibling.id)],
    ['to the server', () => deviceTopic(server)],
    ['below its topic', (one: Device) => `${one.topic}/x`],
    ['to its topic with a leading zero', (one: Device) => `SRUP/0${identityText(one.id)}`],
    ['to its topic in upper case', (one: Device) => `SRUP/A${identityText(one.id).slice(1)}`],
    ['a join to a server that is none', (one: Device) => `SRUP/servers/x/${identityText(one.id)}`],
    ['to the broker', () => '$SYS/x'],
    ['to anything else', () => 'x'],
  ])('%s', async (_, topicOf) => {
    const { one, sibling, links } = await fleet();
    await publishRefused(links.one, topicOf(one, sibling));
    await sawRefusal('BROKER_PUBLISH', one.id);
    await links.c2.client.publishAsync(sibling.topic, 'after', { qos: 1 });
    await until('a later message', () => links.sibling.got.length > 0);
    expect(links.sibling.got.map(({ text }) => text)).toEqual(['after']);
    expect(links.c2.got.map(({ text }) => text)).toEqual(['after']);
  });

  test('a retained message', async () => {
    const { one, links } = await fleet();
    await publishRefused(links.one, one.topic, { retain: true });
    await sawRefusal('BROKER_RETAIN', one.id);
    const next = await connect(one);
    await subscribe(next, one.topic);
    await links.c2.client.publishAsync(one.topic, 'after', { qos: 1 });
    await until('a later message', () => next.got.length > 0);
    expect(next.got.map(({ text }) => text)).toEqual(['after']);
  });

  test('with QoS 2', async () => {
    const { one, links } = await fleet();
    await publishRefused(links.one, one.topic, { qos: 2 });
    await sawRefusal('BROKER_QOS', one.id);
  });

  test('more than the largest message, however the bytes come', async () => {
    const { one, links } = await fleet();
    links.one.client.publish(one.topic, 'x'.repeat(80_000), { qos: 1 }, () => undefined);
    await until('end of the connection', () => links.one.ended !== undefined);
    await sawRefusal('BROKER_TOO_LARGE', one.id);
    expect(links.c2.got).toEqual([]);
  });

  test('a packet that claims to be endless: its header is enough to refuse it, before CONNECT and after', async () => {
    const one = await makeDevice();
    const socket = await rawConnection(one);
    for (const byte of [0x30, 0xff, 0xff, 0xff, 0x7f]) socket.write(Buffer.from([byte])); // PUBLISH of 256 MiB
    await closed(socket);
    await sawRefusal('BROKER_TOO_LARGE', one.id);

    refusals.length = 0;
    const { links, one: other } = await fleet();
    links.one.client.stream.write(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x01]));
    await until('end of the connection', () => links.one.ended !== undefined);
    await sawRefusal('BROKER_TOO_LARGE', other.id);
  });
});

describe('a device may not subscribe', () => {
  const wishes: [string, (one: Device, sibling: Device) => string][] = [
    ['to a sibling', (_, sibling) => sibling.topic],
    ['to everything', () => '#'],
    ['to all of SRUP', () => 'SRUP/#'],
    ['to every device', () => 'SRUP/+'],
    ['below its own topic', (one) => `${one.topic}/#`],
    ['to the joins of the server', () => joinFilter(server)],
    ['to its own joins', (one) => joinTopic(server, one.id)],
    ['to the broker', () => '$SYS/#'],
    ['to a shared subscription', (one) => `$share/x/${one.topic}`],
  ];

  test.each(wishes)('%s', async (_, filterOf) => {
    const { one, sibling, links } = await fleet();
    expect(await subscribe(links.one, filterOf(one, sibling))).toEqual([128]);
    await sawRefusal('BROKER_SUBSCRIBE', one.id);
    await links.c2.client.publishAsync(sibling.topic, 'secret', { qos: 1 });
    await links.c2.client.publishAsync(one.topic, 'own', { qos: 1 });
    await until('own message', () => links.one.got.length > 0);
    expect(links.one.got).toEqual([{ topic: one.topic, text: 'own' }]);
  });

  test.each(wishes)('%s hidden behind its own topic, in a session that is kept', async (_, filterOf) => {
    const [one, sibling] = await Promise.all([makeDevice(), makeDevice()]);
    const first = await connect(one, { clean: false });
    expect(await subscribe(first, one.topic, filterOf(one, sibling))).toEqual([1, 128]);
    await first.client.endAsync();
    const c2 = await connect(serverDevice());
    await c2.client.publishAsync(sibling.topic, 'secret', { qos: 1 });
    await c2.client.publishAsync(one.topic, 'own', { qos: 1 });
    await until('queue', () => broker.stats().waiting.messages > 0);
    expect(broker.stats().waiting.messages).toBe(1);
    const second = await connect(one, { clean: false });
    await until('own message', () => second.got.length > 0);
    await c2.client.publishAsync(sibling.topic, 'secret', { qos: 1 });
    await c2.client.publishAsync(one.topic, 'own again', { qos: 1 });
    await until('own message', () => second.got.length > 1);
    expect(second.got.map(({ text }) => text)).toEqual(['own', 'own again']);
  });
});

describe('the server may do its part only', () => {
  test.each([
    ['everything', '#'],
    ['every device at once', 'SRUP/+'],
    ['the joins of another server', joinFilter(0xc0ffee0123456789n)],
    ['the joins of all servers', 'SRUP/servers/+/+'],
    ['the broker', '$SYS/#'],
  ])('not subscribe to %s', async (_, filter) => {
    const c2 = await connect(serverDevice());
    expect(await subscribe(c2, filter)).toEqual([128]);
    await sawRefusal('BROKER_SUBSCRIBE', server);
  });

  test.each([
    ['a join', joinTopic(server, 0x27ab54d670b64be2n)],
    ['to itself', deviceTopic(server)],
    ['anything else', 'x/y'],
  ])('not publish %s', async (_, topic) => {
    const c2 = await connect(serverDevice());
    await publishRefused(c2, topic);
    await sawRefusal('BROKER_PUBLISH', server);
  });
});

describe('after a start', () => {
  beforeEach(async () => {
    await broker.close();
    broker = await startAlone();
  });

  test('devices wait until the server listens, so that nothing they send is lost', async () => {
    const one = await makeDevice();
    const link = open(one, { clean: false });
    link.client.publish(one.topic, 'owed', { qos: 1 }); // leaves with the connection
    const c2 = await connect(serverDevice());
    await subscribe(c2, one.topic);
    expect(link.client.connected).toBe(false);
    await subscribe(c2, joinFilter(server));
    await until('message', () => c2.got.length === 1);
    expect(link.ended).toBeUndefined();
    expect(refusals).toEqual([]);
  });

  test('they are sent away when the server does not come; subscriptions of others are no sign of it', async () => {
    const [early, late] = await Promise.all([makeDevice(), makeDevice()]);
    const first = fails(early);
    const c2 = await connect(serverDevice());
    expect(await subscribe(c2, deviceTopic(1n))).toEqual([1]);
    expect(await subscribe(c2, joinFilter(2n))).toEqual([128]);
    for (const sentAway of [first, fails(late)]) expect(await sentAway).toMatch(/Server unavailable/i);
    await sawRefusal('BROKER_UNAVAILABLE', early.id);
    await sawRefusal('BROKER_UNAVAILABLE', late.id);
  });

  test('a device that is not allowed is sent away at once, and so is one that is revoked while it waits', async () => {
    const [stranger, revoked] = await Promise.all([makeDevice(), makeDevice()]);
    const asked = new Set<Identity>();
    allowed = (id) => {
      asked.add(id);
      return Promise.resolve(id !== stranger.id);
    };
    expect(await fails(stranger)).toMatch(/Not authorized/i);
    const link = open(revoked);
    await until('question', () => asked.has(revoked.id));
    await broker.disconnect(revoked.id);
    const c2 = await connect(serverDevice());
    await subscribe(c2, joinFilter(server));
    await until('end of the connection', () => link.ended !== undefined);
    expect(broker.stats().connected).toBe(1);
  });
});

describe('what a client that is away can cost', () => {
  async function leave(one: Device): Promise<void> {
    const link = await connect(one, { clean: false });
    await subscribe(link, one.topic);
    await link.client.endAsync();
  }

  test('is bounded in messages: the oldest are dropped, which is reported once', async () => {
    const one = await makeDevice();
    await leave(one);
    const c2 = await connect(serverDevice());
    const sent = DEVICE_QUEUE.messages + 50;
    for (let i = 0; i < sent; i += 1) await c2.client.publishAsync(one.topic, String(i), { qos: 1 });
    await sawRefusal('BROKER_QUEUE', one.id);
    await until('queue', () => broker.stats().waiting.messages === DEVICE_QUEUE.messages);
    const link = await connect(one, { clean: false });
    await until('messages', () => link.got.some(({ text }) => text === String(sent - 1)));
    expect(link.got.map(({ text }) => Number(text))).toEqual(
      Array.from({ length: DEVICE_QUEUE.messages }, (_, i) => i + 50),
    );
    expect(codes().filter((code) => code === 'BROKER_QUEUE')).toHaveLength(1);
  });

  test('is bounded in bytes', async () => {
    const one = await makeDevice();
    await leave(one);
    const c2 = await connect(serverDevice());
    for (let i = 0; i < 40; i += 1) await c2.client.publishAsync(one.topic, 'x'.repeat(60_000), { qos: 1 });
    await sawRefusal('BROKER_QUEUE', one.id);
    const { waiting } = broker.stats();
    expect(waiting.bytes).toBeLessThanOrEqual(DEVICE_QUEUE.bytes);
    expect(waiting.messages).toBe(17);
  });

  test('does not delay others: a client that reads nothing is dropped', async () => {
    const [slow, quick] = await Promise.all([makeDevice(), makeDevice()]);
    const slowLink = await connect(slow, { clean: false });
    await subscribe(slowLink, slow.topic);
    const quickLink = await connect(quick);
    await subscribe(quickLink, quick.topic);
    const c2 = await connect(serverDevice());
    slowLink.client.stream.pause();
    let sent = 0;
    while (!codes().includes('BROKER_SLOW')) {
      await c2.client.publishAsync(slow.topic, 'x'.repeat(60_000), { qos: 1 });
      await c2.client.publishAsync(quick.topic, String(sent), { qos: 1 });
      sent += 1;
      await until('message to the quick one', () => quickLink.got.length === sent);
      if (sent > 1000) throw new Error('the slow one was never dropped');
    }
    await sawRefusal('BROKER_SLOW', slow.id);
    await until('end of the slow one', () => broker.stats().connected === 2);
    slowLink.client.stream.destroy();
    const again = await connect(slow, { clean: false });
    expect(again.sessionPresent).toBe(true);
    await until('its last messages', () => again.got.length > 0);
  });
});

describe('a device that floods', () => {
  test('is slowed down, delays no other, and loses nothing', async () => {
    const { one, sibling, links } = await fleet();
    const flood = DEVICE_PACE.burst + DEVICE_PACE.perSecond;
    const began = performance.now();
    let acknowledged = 0;
    for (let i = 0; i < flood; i += 1)
      links.one.client.publish(one.topic, 'x', { qos: 1 }, () => (acknowledged += 1));
    await sawRefusal('BROKER_FLOOD', one.id);
    await links.sibling.client.publishAsync(sibling.topic, 'meanwhile', { qos: 1 });
    await until('message of another one', () => links.c2.got.some(({ text }) => text === 'meanwhile'));
    expect(acknowledged).toBeLessThan(flood);
    await until('the rest', () => links.c2.got.length === flood + 1 && acknowledged === flood);
    expect(performance.now() - began).toBeGreaterThan(900); // one second at its pace
    expect(codes()).toEqual(['BROKER_FLOOD']);
  });
});

describe('disconnecting an identity (P 10.8)', () => {
  test('ends its connection, its subscriptions and all that waits for it', async () => {
    const [one, other] = await Promise.all([makeDevice(), makeDevice()]);
    const link = await connect(one, { clean: false });
    await subscribe(link, one.topic);
    const otherLink = await connect(other, { clean: false });
    await subscribe(otherLink, other.topic);
    await broker.disconnect(one.id);
    await until('end of the connection', () => link.ended !== undefined);
    expect(broker.stats()).toMatchObject({ connected: 1, sessions: 1 });

    const c2 = await connect(serverDevice());
    await c2.client.publishAsync(one.topic, 'too late', { qos: 1 });
    await c2.client.publishAsync(other.topic, 'on time', { qos: 1 });
    await until('message to the other one', () => otherLink.got.length === 1);
    const again = await connect(one, { clean: false });
    expect(again.sessionPresent).toBe(false);
    await subscribe(again, one.topic);
    await c2.client.publishAsync(one.topic, 'anew', { qos: 1 });
    await until('message', () => again.got.length > 0);
    expect(again.got.map(({ text }) => text)).toEqual(['anew']);
  });

  test('removes what is queued and in flight, also for a client that is away', async () => {
    const [away, holding] = await Promise.all([makeDevice(), makeDevice()]);
    for (const one of [away, holding]) {
      const link = await connect(one, { clean: false });
      await subscribe(link, one.topic);
      if (one === away) await link.client.endAsync();
      else link.client.handleMessage = () => undefined; // never acknowledges
    }
    const c2 = await connect(serverDevice());
    for (const one of [away, holding]) await c2.client.publishAsync(one.topic, 'secret', { qos: 1 });
    await until('queue', () => broker.stats().waiting.messages === 2);
    await broker.disconnect(away.id);
    await broker.disconnect(holding.id);
    expect(broker.stats()).toMatchObject({ sessions: 0, waiting: { messages: 0, bytes: 0 } });
    for (const one of [away, holding]) {
      const link = await connect(one, { clean: false });
      expect(link.sessionPresent).toBe(false);
    }
  });

  test('together with revocation keeps it out for good', async () => {
    const one = await makeDevice();
    const link = await connect(one, { clean: false });
    await subscribe(link, one.topic);
    const revoked = new Set<Identity>();
    allowed = (id) => Promise.resolve(!revoked.has(id));
    revoked.add(one.id);
    await broker.disconnect(one.id);
    expect(await fails(one, { clean: false })).toMatch(/Not authorized/i);
    broker.setTls({ crl: await authority.revocationList([{ serial: one.serial, revokedAt: Date.now() }]) });
    await fails(one, { clean: false });
    expect(codes()).toEqual(['BROKER_REVOKED', 'BROKER_TLS']);
  });

  test('also ends one that is just connecting', async () => {
    const one = await makeDevice();
    let answer: (may: boolean) => void = () => undefined;
    let asked = false;
    allowed = () => {
      asked = true;
      return new Promise((resolve) => (answer = resolve));
    };
    const link = open(one);
    await until('question', () => asked);
    await broker.disconnect(one.id);
    answer(true); // as it was before the revocation
    await until('end of the connection', () => link.ended !== undefined);
    expect(broker.stats().connected).toBe(0);
    allowed = () => Promise.resolve(true);
    await connect(one);
    expect(broker.stats().connected).toBe(1);
  });

  test('that is unknown changes nothing', async () => {
    await broker.disconnect(1n);
    expect(broker.stats()).toMatchObject({ connected: 0, sessions: 0 });
  });
});

describe('the port', () => {
  test('that is in use is reported in words', async () => {
    await expect(
      startBroker(
        { ...place, port: broker.port, tls: { credential: tlsCredential, ca, crl: emptyCrl } },
        ports,
      ),
    ).rejects.toMatchObject({
      message: `The broker can't listen on 127.0.0.1:${broker.port}: another program listens there. Stop it, or choose another port.`,
      cause: { code: 'EADDRINUSE' },
    });
  });

  test('shows a new certificate after a renewal', async () => {
    const one = await makeDevice();
    const before = await rawConnection(one);
    const first = before.getPeerCertificate().serialNumber;
    before.destroy();
    broker.setTls({ credential: await authority.issueServer(['127.0.0.1']) });
    const after = await rawConnection(one);
    expect(after.getPeerCertificate().serialNumber).not.toBe(first);
    after.destroy();
    await connect(one);
  });

  test('is free after closing, with clients connected', async () => {
    const { links } = await fleet();
    await broker.close();
    await until('ends', () => Object.values(links).every(({ ended }) => ended !== undefined));
    broker = await start();
  });
});

describe('without TLS (P 7.5)', () => {
  test('the server warns loudly, and the same rules apply to whoever a client claims to be', async () => {
    await broker.close();
    broker = await startBroker({ ...place, tls: 'insecure-plain' }, ports);
    expect(warnings.join()).toMatch(/MQTT WITHOUT TLS/);
    const one = await makeDevice();
    const plain = { protocol: 'mqtt', key: undefined, cert: undefined } as unknown as IClientOptions;
    const c2 = await connect(serverDevice(), plain);
    expect(await subscribe(c2, one.topic, joinFilter(server))).toEqual([1, 1]);
    const link = await connect(one, plain);
    await link.client.publishAsync(one.topic, 'up', { qos: 1 });
    await until('message', () => c2.got.length === 1);
    await publishRefused(link, deviceTopic(2n));
    await sawRefusal('BROKER_PUBLISH', one.id);
    await fails(one, { ...plain, clientId: 'device' });
    await sawRefusal('BROKER_IDENTITY');
    allowed = () => Promise.resolve(false);
    await fails(one, plain);
    await sawRefusal('BROKER_REVOKED', one.id);
  });
});
