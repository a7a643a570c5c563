/** What the embedded broker sends to the server: many messages before the first PUBACK, in order, and again with DUP. */
import { Socket } from 'node:net';
import { connectMqtt, Secret, systemClock, type MqttArrival, type MqttLink } from '@srup/node';
import { until } from '@srup/node/testing';
import { deviceTopic, joinFilter, mqttClientId, type Identity } from '@srup/protocol';
import mqtt from 'mqtt';
import { expect } from 'vitest';
import { test as base } from '../../test/fixtures.ts';
import { startBroker, type RunningBroker } from './broker.ts';
import { Session, SERVER_QUEUE } from './session.ts';
import { Sessions } from './sessions.ts';

const SERVER = 0xb9d077e223834cf6n;
const DEVICE = 0x27ab54d670b64be2n;
const IN_HAND = 200;

interface Client {
  readonly link: MqttLink;
  readonly arrivals: MqttArrival[];
  ups: number;
}

const test = base
  .extend('broker', async ({ task: _ }, { onCleanup }): Promise<RunningBroker> => {
    const broker = await startBroker(
      { host: '127.0.0.1', port: 0, serverId: SERVER, tls: 'insecure-plain' },
      {
        clock: systemClock,
        isAllowed: async () => true,
        onRefusal: () => undefined,
        warn: () => undefined,
      },
    );
    onCleanup(() => broker.close());
    return broker;
  })
  .extend('connect', ({ broker }, { onCleanup }) => {
    const links: MqttLink[] = [];
    onCleanup(async () => {
      await Promise.all(links.map((link) => link.close()));
    });
    return async (id: Identity): Promise<Client> => {
      const link = connectMqtt({
        url: `mqtt://127.0.0.1:${broker.port}`,
        insecurePlain: true,
        clientId: mqttClientId(id),
        ...{ ca: '', cert: '', key: new Secret('') },
        clean: false,
        inHand: IN_HAND,
        backoff: { leastMs: 10, mostMs: 20 },
      });
      links.push(link);
      const client: Client = { link, arrivals: [], ups: 0 };
      link.onMessage = async (arrival) => void client.arrivals.push(arrival);
      link.onConnect = () => (client.ups += 1);
      if (id === SERVER) {
        await until('connected', () => client.ups > 0);
        await link.subscribe([deviceTopic(DEVICE), joinFilter(SERVER)]);
      }
      await until('connected', () => client.ups > 0);
      return client;
    };
  });

const TOPIC = deviceTopic(DEVICE);
const textOf = ({ bytes }: MqttArrival) => Buffer.from(bytes).toString();
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => String(from + index));

test('messages are sent on before the first is acknowledged, and those without PUBACK again, in order and with DUP', async ({
  broker,
  connect,
}) => {
  const server = await connect(SERVER);
  const device = await connect(DEVICE);
  const hands: PromiseWithResolvers<undefined>[] = [];
  server.link.onMessage = (arrival) => {
    server.arrivals.push(arrival);
    const taking = Promise.withResolvers<undefined>();
    hands.push(taking);
    return taking.promise as Promise<unknown> as Promise<void>;
  };
  const sent = numbers(0, IN_HAND);
  for (const text of sent) await device.link.publish(TOPIC, Buffer.from(text));
  await until('all are in hand', () => server.arrivals.length === IN_HAND);
  expect(server.arrivals.map(textOf)).toEqual(sent);
  for (const taking of hands.slice(0, 50)) taking.resolve(undefined);
  await until('their PUBACKs', () => broker.stats().waiting.messages === IN_HAND - 50);
  hands[100]!.reject(new Error('disk full'));
  await until('the rest comes again', () => server.arrivals.length >= IN_HAND + 150);
  const again = server.arrivals.slice(IN_HAND);
  expect(again.map(textOf)).toEqual(sent.slice(50));
  expect(new Set(again.map(({ repeated }) => repeated))).toEqual(new Set([true]));
});

test('what is new does not overtake what waited, and DUP is only on what was sent before', async ({
  connect,
}) => {
  const server = await connect(SERVER);
  const device = await connect(DEVICE);
  let isAway = true;
  server.link.onMessage = (arrival) => {
    if (isAway) return Promise.reject(new Error('disk full'));
    server.arrivals.push(arrival);
    return Promise.resolve();
  };
  const waited = numbers(0, 400);
  for (const text of waited) await device.link.publish(TOPIC, Buffer.from(text));
  const added = numbers(400, 1_000);
  isAway = false;
  await Promise.all(added.map((text) => device.link.publish(TOPIC, Buffer.from(text))));
  await until('all', () => server.arrivals.some((arrival) => textOf(arrival) === '999'));
  const first = [...new Set(server.arrivals.map(textOf))];
  expect(first).toEqual([...waited, ...added]);
  await device.link.publish(TOPIC, Buffer.from('new'));
  await until('the new one', () => textOf(server.arrivals.at(-1)!) === 'new');
  expect(server.arrivals[0]!.repeated).toBe(true);
  expect(server.arrivals.at(-1)!.repeated).toBe(false);
});

test('DUP of a sender is not passed on', async ({ broker, connect }) => {
  const server = await connect(SERVER);
  const client = mqtt.connect(`mqtt://127.0.0.1:${broker.port}`, {
    protocolVersion: 4,
    clientId: mqttClientId(DEVICE),
  });
  await until('connected', () => client.connected);
  await client.publishAsync(TOPIC, 'x', { qos: 1, dup: true });
  await until('it', () => server.arrivals.length === 1);
  expect(server.arrivals[0]!.repeated).toBe(false);
  await client.endAsync();
});

test.for(['while', 'before'] as const)(
  'a connection that ended %s it was sent what waited holds nothing up',
  async (when) => {
    const sessions = new Sessions({
      limitOf: () => SERVER_QUEUE,
      mayKeep: () => true,
      onOverflow: () => undefined,
    });
    const client = { id: 'server', clientId: 'server', connackSent: true, conn: new Socket() };
    const packet = (brokerCounter: number) => ({
      ...{ topic: TOPIC, payload: 'x', brokerCounter, messageId: brokerCounter, dup: false },
    });
    await sessions.addSubscriptions(client, [{ topic: TOPIC, qos: 1 }]);
    await sessions.outgoingEnqueue(client, packet(1));
    if (when === 'before') client.conn.destroy();
    sessions.outgoingStream(client);
    await sessions.outgoingEnqueue(client, packet(2));
    const sending = sessions.outgoingUpdate(client, packet(2));
    if (when === 'while') client.conn.destroy();
    await expect(sending).resolves.toBeUndefined();
  },
);

test('an id that waits for its PUBACK is given to no other packet', () => {
  const session = new Session();
  const sent = [1, 2, 3].map((brokerCounter) => {
    const packet = { topic: TOPIC, payload: 'x', brokerCounter };
    session.enqueue(packet, SERVER_QUEUE);
    return { ...packet, messageId: 65_535 };
  });
  for (const packet of sent) session.address(packet);
  expect(sent.map(({ messageId }) => messageId)).toEqual([65_535, 1, 2]);
});

/** A packet as aedes hands it over, with the id that it counted. */
const counted = (brokerCounter: number, messageId?: number) => ({
  ...{ topic: TOPIC, payload: 'x', brokerCounter, messageId },
});

test.for(['dropped before it is sent', 'dropped after it was sent', 'acknowledged, and sent again'] as const)(
  'the id of a packet that left the queue (%s) is given to no other packet until its PUBACK',
  (how) => {
    const session = new Session();
    const limit = { messages: 1, bytes: 1_000_000 };
    const [gone, next, third] = [counted(1, 7), counted(2, 7), counted(3, 7)];
    session.enqueue(counted(1), limit);
    if (how !== 'dropped before it is sent') session.address(gone);
    if (how === 'acknowledged, and sent again') {
      session.take(gone);
      session.address(gone);
    }
    session.enqueue(counted(2), limit);
    if (how === 'dropped before it is sent') session.address(gone);
    session.address(next);
    expect([gone.messageId, next.messageId]).toEqual([7, 8]);
    expect(session.take(gone)).toBeUndefined();
    expect(session.has(next)).toBe(true);
    expect(session.take(next)).toMatchObject({ brokerCounter: 2 });
    session.enqueue(counted(3), limit);
    session.address(third);
    expect(third.messageId).toBe(7);
  },
);

test('ids of packets that left the queue are free again in the next connection', () => {
  const session = new Session();
  session.address(counted(1, 7));
  session.comeBack();
  const next = counted(2, 7);
  session.address(next);
  expect(next.messageId).toBe(7);
});

test('a client that acknowledges nothing does not use up the ids', () => {
  const session = new Session();
  for (let number = 1; number <= 70_000; number++) {
    const packet = counted(number, (number % 65_535) + 1);
    session.enqueue(packet, { messages: 1, bytes: 1_000_000 });
    session.address(packet);
  }
  expect(session.waiting.messages).toBe(1);
});
