/** What every MQTT link keeps to: the real one over a real broker, and the fake. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MqttArrival } from '../src/arrivals.ts';
import type { MqttLink } from '../src/mqtt.ts';
import { until } from '../src/testing/index.ts';

/** A link that is not connected yet, and the broker's side of it. */
export interface LinkHarness {
  readonly link: MqttLink;
  /** Lets it connect, for the first time or again. */
  connect(): void;
  /** Ends the connection and keeps it away until `connect`. */
  disconnect(): Promise<void> | void;
  /** Publishes as somebody else. Messages of which none is awaited before the next reach the link in their order. */
  publish(topic: string, text: string, retained?: boolean): Promise<void> | void;
  /** What the link has acknowledged of these messages, in order. */
  acknowledged(): readonly string[];
  close(): Promise<void>;
}

/** For what is on its way to arrive. */
const SETTLE_MS = 50;
const TOPIC = 'SRUP/1';
/** The most messages that the links of the suite have in hand. */
const IN_HAND = 20;

/** Calls and resolves `onMessage` as a test says. */
interface Hands {
  /** What is or was in hand, in the order of the calls. */
  readonly begun: string[];
  readonly arrivals: MqttArrival[];
  /** The message is taken. */
  take(text: string): void;
  /** The message can't be taken. */
  fail(text: string): void;
}

function handsOf(link: MqttLink): Hands {
  const inHand = new Map<string, { resolve(): void; reject(reason: Error): void }>();
  const hands: Hands = {
    begun: [],
    arrivals: [],
    take: (text) => {
      inHand.get(text)?.resolve();
    },
    fail: (text) => {
      inHand.get(text)?.reject(new Error('disk full'));
    },
  };
  link.onMessage = (arrival) => {
    const text = Buffer.from(arrival.bytes).toString();
    hands.arrivals.push(arrival);
    hands.begun.push(text);
    return new Promise((resolve, reject) => {
      inHand.set(text, { resolve, reject });
    });
  };
  return hands;
}

/** @param open gets the most messages that the link is to have in hand */
export function testLink(name: string, open: (inHand: number) => Promise<LinkHarness>): void {
  describe(`the contract of a link: ${name}`, () => {
    let harness: LinkHarness;
    let link: MqttLink;
    let ups: boolean[];
    let downs: string[];
    let arrivals: MqttArrival[];

    beforeEach(async () => {
      [ups, downs, arrivals] = [[], [], []];
      harness = await open(IN_HAND);
      ({ link } = harness);
      link.onConnect = (kept) => ups.push(kept);
      link.onDisconnect = (reason) => downs.push(reason);
      link.onMessage = async (arrival) => void arrivals.push(arrival);
    });
    afterEach(() => harness.close());

    const texts = () => arrivals.map(({ bytes }) => Buffer.from(bytes).toString());

    async function connect(): Promise<void> {
      const before = ups.length;
      harness.connect();
      await until('connected', () => ups.length > before);
    }

    async function listen(): Promise<void> {
      await connect();
      await link.subscribe([TOPIC]);
    }

    test('what it publishes comes back while it is subscribed, as plain bytes of its own', async () => {
      await listen();
      const bytes = Uint8Array.of(5, 0, 255);
      await link.publish(TOPIC, bytes);
      bytes.fill(0);
      await until('the echo', () => arrivals.length === 1);
      expect(arrivals).toMatchObject([
        { topic: TOPIC, bytes: Uint8Array.of(5, 0, 255), retained: false, repeated: false },
      ]);
      expect(Object.getPrototypeOf(arrivals[0]!.bytes)).toBe(Uint8Array.prototype);
      await link.unsubscribe([TOPIC]);
      await link.publish(TOPIC, bytes);
      expect(arrivals).toHaveLength(1);
    });

    test('a retained message is told as such (P 7.1)', async () => {
      await connect();
      await harness.publish(TOPIC, 'old', true);
      await link.subscribe([TOPIC]);
      await until('it', () => arrivals.length === 1);
      expect(arrivals[0]).toMatchObject({ topic: TOPIC, retained: true });
    });

    /** Publishes these texts, which arrive in this order. */
    function say(...said: readonly string[]): void {
      for (const text of said) void harness.publish(TOPIC, text);
    }
    const numbers = (count: number) => Array.from({ length: count }, (_, index) => `${index + 1}`);

    test('many messages are in hand before the first is taken, and PUBACKs of our own do not wait', async () => {
      await listen();
      const hands = handsOf(link);
      const all = numbers(IN_HAND);
      say(...all);
      await until('all are in hand', () => hands.begun.length === IN_HAND);
      await link.publish('SRUP/2', Uint8Array.of(1));
      expect(hands.begun).toEqual(all);
      expect(harness.acknowledged()).toEqual([]);
      for (const text of all) hands.take(text);
      await until('all PUBACKs', () => harness.acknowledged().length === IN_HAND);
    });

    test('PUBACKs go out in the order of arrival, whatever is taken first (MQTT 4.6.0)', async () => {
      await listen();
      const hands = handsOf(link);
      say('1', '2', '3', '4');
      await until('all are in hand', () => hands.begun.length === 4);
      for (const text of ['4', '2', '3']) hands.take(text);
      await link.publish('SRUP/2', Uint8Array.of(1)); // its PUBACK comes after those that may have been sent before
      expect(harness.acknowledged()).toEqual([]);
      hands.take('1');
      await until('all PUBACKs', () => harness.acknowledged().length === 4);
      expect(harness.acknowledged()).toEqual(['1', '2', '3', '4']);
    });

    test('with all hands full it takes no more, until there is room', async () => {
      await listen();
      const hands = handsOf(link);
      const all = numbers(IN_HAND + 5);
      say(...all);
      await until('hands are full', () => hands.begun.length === IN_HAND);
      hands.take('2'); // makes no room: it is not acknowledged before the first
      await pause(SETTLE_MS);
      expect(hands.begun).toEqual(all.slice(0, IN_HAND));
      hands.take('1');
      await until('two more', () => hands.begun.length === IN_HAND + 2);
      await pause(SETTLE_MS);
      expect(hands.begun).toEqual(all.slice(0, IN_HAND + 2));
      const taken = new Set(['1', '2']);
      await until('the rest', () => {
        for (const text of hands.begun) if (!taken.has(text)) hands.take(text);
        return harness.acknowledged().length === all.length;
      });
      expect(harness.acknowledged()).toEqual(all);
    });

    test('after a message that is not taken nothing is acknowledged, and all of it comes again in order', async () => {
      await listen();
      const hands = handsOf(link);
      say('1', '2', '3', '4', '5');
      await until('all are in hand', () => hands.begun.length === 5);
      hands.take('1');
      await until('the first PUBACK', () => harness.acknowledged().length === 1);
      for (const text of ['4', '5']) hands.take(text);
      hands.fail('3');
      await until('dropped', () => downs.length > 0);
      expect(downs[0]).toBe('a message could not be taken: disk full');
      expect(hands.arrivals[1]!.line.isOver).toBe(true);
      hands.take('2'); // too late: what comes again is another delivery
      const before = hands.begun.length;
      await connect();
      await until('all come again', () => hands.begun.length === before + 4);
      expect(hands.begun.slice(before)).toEqual(['2', '3', '4', '5']);
      expect(hands.arrivals.map(({ repeated }) => repeated)).toEqual([
        ...[false, false, false, false, false],
        ...[true, true, true, true],
      ]);
      await pause(SETTLE_MS);
      expect(harness.acknowledged()).toEqual(['1']);
      for (const text of ['2', '3', '4', '5']) hands.take(text);
      await until('all PUBACKs', () => harness.acknowledged().length === 5);
      expect(harness.acknowledged()).toEqual(['1', '2', '3', '4', '5']);
      expect(downs).toHaveLength(1);
    });

    test('nothing of a connection that died is acknowledged on the next one', async () => {
      await listen();
      const hands = handsOf(link);
      say('1', '2', '3');
      await until('all are in hand', () => hands.begun.length === 3);
      await harness.disconnect();
      await until('down', () => downs.length > 0);
      for (const text of ['1', '2', '3']) hands.take(text);
      await connect();
      await until('all come again', () => hands.begun.length === 6);
      await pause(SETTLE_MS);
      expect(harness.acknowledged()).toEqual([]);
      for (const text of ['1', '2', '3']) hands.take(text);
      await until('all PUBACKs', () => harness.acknowledged().length === 3);
      expect(harness.acknowledged()).toEqual(['1', '2', '3']);
      expect(hands.arrivals.map(({ line }) => line.isOver)).toEqual([true, true, true, false, false, false]);
    });

    test('one that has its messages in hand can be closed', async () => {
      await listen();
      const hands = handsOf(link);
      say(...numbers(IN_HAND + 5));
      await until('hands are full', () => hands.begun.length === IN_HAND);
      await link.close();
      for (const text of hands.begun) hands.take(text);
      await pause(SETTLE_MS);
      expect([hands.begun.length, harness.acknowledged()]).toEqual([IN_HAND, []]);
    });

    test('a message that is not taken ends the connection, and comes again, once (P 5.3)', async () => {
      await listen();
      const take = link.onMessage;
      link.onMessage = () => Promise.reject(new Error('disk full'));
      await harness.publish(TOPIC, 'x');
      await until('dropped', () => downs.length > 0);
      expect(downs[0]).toContain('disk full');
      link.onMessage = take;
      await connect();
      await until('it is taken', () => arrivals.length === 1);
      await harness.publish(TOPIC, 'y');
      await until('the next', () => arrivals.length === 2);
      expect(texts()).toEqual(['x', 'y']);
    });

    test('without a receiver nothing is taken', async () => {
      await listen();
      await harness.disconnect();
      await harness.publish(TOPIC, 'waiting');
      const before = downs.length;
      link.onMessage = async () => {
        throw new TypeError('nobody');
      };
      await connect();
      await until('dropped', () => downs.length > before);
      expect(arrivals).toEqual([]);
    });

    test('a kept session has its filters, and what came meanwhile', async () => {
      await listen();
      await harness.disconnect();
      await until('down', () => downs.length > 0);
      await harness.publish(TOPIC, 'while away');
      await connect();
      await until('it', () => arrivals.length === 1);
      await link.publish(TOPIC, Buffer.from('and now'));
      await until('the next', () => arrivals.length === 2);
      expect([ups.slice(0, 2), texts()]).toEqual([
        [false, true],
        ['while away', 'and now'],
      ]);
    });

    test('drop ends the connection for the reason that it is given', async () => {
      await connect();
      link.drop('a better one is known');
      await until('down', () => downs.length > 0);
      expect(downs[0]).toBe('a better one is known');
    });

    test('nothing can be asked of a broker that is away', async () => {
      await connect();
      await harness.disconnect();
      await until('down', () => downs.length > 0);
      const refusal = { name: 'MqttError', message: 'not connected to the broker' };
      await expect(link.publish(TOPIC, Uint8Array.of(1))).rejects.toMatchObject(refusal);
      await expect(link.subscribe([TOPIC])).rejects.toMatchObject(refusal);
      await expect(link.unsubscribe([TOPIC])).rejects.toMatchObject(refusal);
    });

    test('a closed link stays away; closing it again does no harm', async () => {
      await connect();
      await link.close();
      await link.close();
      expect(downs).toHaveLength(1);
      await expect(link.publish(TOPIC, Uint8Array.of(1))).rejects.toThrow('not connected');
    });
  });
}
