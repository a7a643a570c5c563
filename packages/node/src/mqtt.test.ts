import { createServer } from 'node:net';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startBroker, type TestBroker } from '../test/broker.ts';
import { makeCa, type Issued, type TestCa } from '../test/certificates.ts';
import { testLink } from '../test/link-contract.ts';
import { Secret } from './secret.ts';
import { until } from './testing/index.ts';
import type { MqttArrival } from './arrivals.ts';
import { connectMqtt, type MqttLink, type MqttOptions } from './mqtt.ts';

const QUICK = { leastMs: 10, mostMs: 40 };

let ca: TestCa;
let device: Issued;
let broker: TestBroker;
const links: MqttLink[] = [];

beforeAll(async () => {
  ca = await makeCa();
  device = await ca.issue({ commonName: 'device' });
});
beforeEach(async () => {
  broker = await startBroker(ca);
});
afterEach(async () => {
  await Promise.all(links.splice(0).map((link) => link.close()));
  await broker.close();
});

interface Watched {
  readonly link: MqttLink;
  readonly arrivals: MqttArrival[];
  readonly ups: boolean[];
  readonly downs: { reason: string; retryMs: number }[];
}

function connect(options: Partial<MqttOptions> = {}): Watched {
  const link = connectMqtt({
    url: broker.url,
    clientId: 'SRUP Client: 1',
    ca: ca.pem,
    cert: device.certPem,
    key: device.key,
    clean: false,
    backoff: QUICK,
    ...options,
  });
  links.push(link);
  const watched: Watched = { link, arrivals: [], ups: [], downs: [] };
  link.onMessage = (arrival) => {
    watched.arrivals.push(arrival);
    return Promise.resolve();
  };
  link.onConnect = (kept) => watched.ups.push(kept);
  link.onDisconnect = (reason, retryMs) => watched.downs.push({ reason, retryMs });
  return watched;
}

async function connected(options?: Partial<MqttOptions>): Promise<Watched> {
  const watched = connect(options);
  await until('connected', () => watched.ups.length > 0);
  return watched;
}

testLink('over a real broker', async (inHand) => {
  await broker.kill();
  const { link } = connect({ inHand });
  const acknowledged: string[] = [];
  broker.aedes.on('ack', (packet?: object) => {
    if (packet !== undefined && 'payload' in packet) acknowledged.push(String(packet.payload));
  });
  return {
    link,
    connect: () => {
      if (broker.isListening()) return;
      void broker.revive();
    },
    disconnect: () => broker.kill(),
    publish: (topic, text, retain = false) => broker.publish({ topic, payload: text, retain }),
    acknowledged: () => acknowledged,
    close: () => link.close(),
  };
});

test('a message goes out with QoS 1 and comes in as copied bytes', async () => {
  const { link, arrivals } = await connected();
  await link.subscribe(['SRUP/1']);
  await link.publish('SRUP/1', Uint8Array.of(5, 0, 255));
  await until('the echo', () => arrivals.length === 1);
  expect(arrivals).toMatchObject([{ topic: 'SRUP/1', bytes: Uint8Array.of(5, 0, 255), retained: false }]);
  await link.unsubscribe(['SRUP/1']);
  await link.publish('SRUP/1', Uint8Array.of(1));
  expect(arrivals).toHaveLength(1);
});

test('more filters than one packet takes', async () => {
  const { link, arrivals } = await connected();
  await link.subscribe(Array.from({ length: 250 }, (_, index) => `SRUP/${index + 1}`));
  await broker.publish({ topic: 'SRUP/1', payload: 'first' });
  await broker.publish({ topic: 'SRUP/250', payload: 'last' });
  await until('both', () => arrivals.length === 2);
});

test('a retained message is told as such', async () => {
  await broker.publish({ topic: 'SRUP/1', payload: 'old', retain: true });
  const { link, arrivals } = await connected();
  await link.subscribe(['SRUP/1']);
  await until('it', () => arrivals.length === 1);
  expect(arrivals[0]?.retained).toBe(true);
});

test('the PUBACK waits until the message is taken (P 5.3)', async () => {
  const { link } = await connected();
  let acknowledged = false;
  broker.aedes.on('ack', () => (acknowledged = true));
  let take: (() => void) | undefined;
  link.onMessage = () => new Promise((resolve) => (take = resolve));
  await link.subscribe(['SRUP/1']);
  await broker.publish({ topic: 'SRUP/1', payload: 'x' });
  await until('the arrival', () => take !== undefined);
  await broker.publish({ topic: 'elsewhere', payload: 'y' });
  expect(acknowledged).toBe(false);
  take!();
  await until('the PUBACK', () => acknowledged);
});

test('a message that could not be taken is delivered again, and then only once', async () => {
  const { link, arrivals, downs } = await connected();
  const take = link.onMessage;
  let refusals = 2;
  link.onMessage = (arrival) => (refusals-- > 0 ? Promise.reject(new Error('disk full')) : take(arrival));
  await link.subscribe(['SRUP/1']);
  await broker.publish({ topic: 'SRUP/1', payload: 'x' });
  await until('it is taken', () => arrivals.length === 1);
  expect(downs.map(({ reason }) => reason)).toEqual(Array(2).fill('a message could not be taken: disk full'));
  await broker.publish({ topic: 'SRUP/1', payload: 'y' });
  await until('the next', () => arrivals.length === 2);
  expect(arrivals.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(['x', 'y']);
});

test('nobody takes messages: they stay with the broker', async () => {
  const first = await connected();
  await first.link.subscribe(['SRUP/1']);
  await first.link.close();
  await broker.publish({ topic: 'SRUP/1', payload: 'waiting' });
  const link = connectMqtt({
    url: broker.url,
    clientId: 'SRUP Client: 1',
    ca: ca.pem,
    cert: device.certPem,
    key: device.key,
    clean: false,
    backoff: QUICK,
  });
  links.push(link);
  const reasons: string[] = [];
  link.onDisconnect = (reason) => reasons.push(reason);
  await until('dropped', () => reasons.length > 0);
  expect(reasons[0]).toContain('nobody takes');
  await link.close();
  const again = await connected();
  await until('it is there', () => again.arrivals.length === 1);
});

test('a broker that is killed and comes back: reconnected, session kept, queued messages delivered, no call hangs', async () => {
  const { link, arrivals, ups, downs } = await connected();
  await link.subscribe(['SRUP/1']);
  broker.aedes.authorizePublish = () => undefined; // the PUBACK never comes
  const unanswered = expect(link.publish('SRUP/2', Uint8Array.of(1))).rejects.toMatchObject({
    name: 'MqttError',
  });
  await broker.kill();
  await unanswered;
  await expect(link.publish('SRUP/2', Uint8Array.of(1))).rejects.toThrow('not connected');
  await until('three failed attempts', () => downs.length >= 4);
  expect(downs.at(-1)?.reason).toContain('ECONNREFUSED');
  await broker.publish({ topic: 'SRUP/1', payload: 'while away' });
  await broker.revive();
  await until('the queued message', () => arrivals.length === 1);
  expect(ups).toEqual([false, true]);
});

test('the backoff doubles to its limit and is jittered between a half and the whole', async () => {
  await broker.kill();
  const units = [0, 1, 0.5, 0, 0];
  const random = { unit: () => units.shift() ?? 0 };
  const { downs } = connect({ random, backoff: { leastMs: 4, mostMs: 16 } });
  await until('five attempts', () => downs.length >= 5);
  expect(downs.slice(0, 5).map(({ retryMs }) => retryMs)).toEqual([2, 8, 12, 8, 8]);
});

test('no PUBACK in time: the call rejects, the connection is dropped and comes back', async () => {
  const { link, ups, downs } = await connected({ timeoutMs: 150 });
  broker.aedes.authorizePublish = () => undefined;
  await expect(link.publish('SRUP/1', Uint8Array.of(1))).rejects.toThrow('no PUBACK within 0.15 s');
  await until('reconnected', () => ups.length === 2);
  expect(downs[0]?.reason).toBe('the broker sent no PUBACK');
});

test('no SUBACK in time: the call rejects', async () => {
  const { link } = await connected({ timeoutMs: 150 });
  broker.aedes.authorizeSubscribe = () => undefined;
  await expect(link.subscribe(['SRUP/1'])).rejects.toThrow('no SUBACK');
});

test('a server that speaks no TLS: said in a few words', async () => {
  const plain = createServer((socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  const { port } = plain.address() as { port: number };
  const { downs } = connect({ url: `mqtts://localhost:${port}` });
  await until('an attempt', () => downs.length > 0);
  expect(downs[0]?.reason).toMatch(/^TLS: [\w ]+$/);
  await Promise.all(links.splice(0).map((link) => link.close()));
  await new Promise((resolve) => plain.close(resolve));
});

test('a server that accepts TCP and says nothing: attempts end', async () => {
  const silent = createServer((socket) => socket.resume());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as { port: number };
  const { downs } = connect({ url: `mqtts://localhost:${port}`, timeoutMs: 50 });
  await until('two attempts', () => downs.length >= 2);
  expect(downs[0]?.reason).toBe('connack timeout');
  await Promise.all(links.splice(0).map((link) => link.close()));
  await new Promise((resolve) => silent.close(resolve));
});

test('a refused subscription is told', async () => {
  const { link } = await connected();
  broker.aedes.authorizeSubscribe = (_client, _subscription, callback) => {
    callback(null, null);
  };
  await expect(link.subscribe(['SRUP/#'])).rejects.toMatchObject({ name: 'MqttError' });
});

test('a refused publication closes the connection, and the call rejects', async () => {
  const { link, downs } = await connected();
  broker.aedes.authorizePublish = (_client, _packet, callback) => {
    callback(new Error('no'));
  };
  await expect(link.publish('SRUP/2', Uint8Array.of(1))).rejects.toThrow('connection to the broker ended');
  expect(downs).toHaveLength(1);
});

test('a broker of another CA is not spoken to', async () => {
  const { downs } = connect({ ca: (await makeCa()).pem });
  await until('an attempt', () => downs.length > 0);
  expect(downs[0]?.reason).toMatch(/certificate/);
  expect(broker.clients()).toEqual([]);
});

test('a client certificate of another CA is not let in', async () => {
  const foreign = await (await makeCa()).issue({ commonName: 'device' });
  const { downs, ups } = connect({ cert: foreign.certPem, key: foreign.key });
  await until('an attempt', () => downs.length > 0);
  expect(ups).toEqual([]);
});

test('what can not work at all throws at once: plain MQTT, a broken key', () => {
  const options = {
    url: broker.url,
    clientId: 'x',
    ca: ca.pem,
    cert: device.certPem,
    key: device.key,
    clean: false,
  } as const;
  expect(() => connectMqtt({ ...options, url: 'mqtt://localhost' })).toThrow('not an mqtts URL');
  const broken = new Secret('no key');
  expect(() => connectMqtt({ ...options, key: broken })).toThrow('DECODER');
});

test('closed: no reconnection, and closing again does no harm', async () => {
  const { link, downs } = await connected();
  await link.close();
  await link.close();
  expect(downs).toHaveLength(1);
  await until('the broker knows', () => broker.clients().length === 0);
  await expect(link.publish('SRUP/1', Uint8Array.of(1))).rejects.toThrow('not connected');
});
