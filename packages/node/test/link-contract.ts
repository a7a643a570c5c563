/** What every MQTT link keeps to: the real one over a real broker, and the fake. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MqttArrival, MqttLink } from '../src/mqtt.ts';
import { until } from '../src/testing/index.ts';

/** A link that is not connected yet, and the broker's side of it. */
export interface LinkHarness {
  readonly link: MqttLink;
  /** Lets it connect, for the first time or again. */
  connect(): void;
  /** Ends the connection and keeps it away until `connect`. */
  disconnect(): Promise<void> | void;
  /** Publishes as somebody else. */
  publish(topic: string, text: string, retained?: boolean): Promise<void> | void;
  close(): Promise<void>;
}

/** For what is on its way to arrive. */
const SETTLE_MS = 50;
const TOPIC = 'SRUP/1';

export function testLink(name: string, open: () => Promise<LinkHarness>): void {
  describe(`the contract of a link: ${name}`, () => {
    let harness: LinkHarness;
    let link: MqttLink;
    let ups: boolean[];
    let downs: string[];
    let arrivals: MqttArrival[];

    beforeEach(async () => {
      [ups, downs, arrivals] = [[], [], []];
      harness = await open();
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
      expect(arrivals).toEqual([{ topic: TOPIC, bytes: Uint8Array.of(5, 0, 255), retained: false }]);
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

    test('whatever arrives waits until the message before is taken', async () => {
      await listen();
      const begun: string[] = [];
      const release: (() => void)[] = [];
      link.onMessage = ({ bytes }) => {
        begun.push(Buffer.from(bytes).toString());
        return new Promise((resolve) => release.push(resolve));
      };
      await Promise.all([harness.publish(TOPIC, 'first'), harness.publish(TOPIC, 'second')]);
      await until('the first', () => begun.length === 1);
      let isPublished = false;
      const published = link.publish('SRUP/2', Uint8Array.of(1)).then(() => (isPublished = true));
      await pause(SETTLE_MS);
      // Its PUBACK is something that arrives, too: a receiver that waited for one would wait for ever.
      expect([begun, isPublished]).toEqual([['first'], false]);
      release[0]!();
      await until('the second', () => begun.length === 2);
      release[1]!();
      await published;
      expect(begun).toEqual(['first', 'second']);
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
