import { deviceTopic, joinFilter, joinTopic, mqttClientId } from '@srup/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createPacer } from './doors/pace.ts';
import { createPacketMeter } from './packets.ts';
import type { Peer } from './peer.ts';
import { judgeConnect, judgePublish, judgeSubscribe, mayReceive } from './rules.ts';

const ids = fc.bigInt({ min: 1n, max: (1n << 64n) - 1n });
const device = (id: bigint): Peer => ({ id, isServer: false });
const server = (id: bigint): Peer => ({ id, isServer: true });
const qos1 = (topic: string) => ({ topic, qos: 1, retain: false });
/** Topics and filters near the right ones. */
const levels = fc.array(
  fc.oneof(
    fc.constantFrom('SRUP', 'servers', '+', '#', '', '$SYS', '\0'),
    ids.map((id) => id.toString(16)),
  ),
  {
    maxLength: 5,
  },
);

describe('the rules of P 7.3', () => {
  test('a device publishes on its own topic and its own joins, and nowhere else', () => {
    fc.assert(
      fc.property(ids, ids, levels, (id, other, parts) => {
        expect(judgePublish(device(id), qos1(deviceTopic(id)))).toBeUndefined();
        expect(judgePublish(device(id), qos1(joinTopic(other, id)))).toBeUndefined();
        const topic = parts.join('/');
        fc.pre(topic !== deviceTopic(id) && !topic.endsWith(`/${id.toString(16)}`) && other !== id);
        for (const wrong of [topic, deviceTopic(other), joinTopic(id, other)]) {
          expect(judgePublish(device(id), qos1(wrong))?.code).toBe('BROKER_PUBLISH');
        }
      }),
    );
  });

  test('a device subscribes to its own topic, and to nothing else', () => {
    fc.assert(
      fc.property(ids, levels, (id, parts) => {
        expect(judgeSubscribe(device(id), deviceTopic(id))).toBeUndefined();
        const filter = parts.join('/');
        fc.pre(filter !== deviceTopic(id));
        expect(judgeSubscribe(device(id), filter)?.code).toBe('BROKER_SUBSCRIBE');
      }),
    );
  });

  test('a device receives only what is on its own topic, whatever a session holds', () => {
    fc.assert(
      fc.property(ids, ids, levels, (id, other, parts) => {
        fc.pre(id !== other && parts.join('/') !== deviceTopic(id));
        expect(mayReceive(device(id), deviceTopic(id))).toBe(true);
        for (const topic of [parts.join('/'), deviceTopic(other), joinTopic(other, id)]) {
          expect(mayReceive(device(id), topic)).toBe(false);
        }
      }),
    );
  });

  test('the server: every device one by one, and the joins that are for it', () => {
    fc.assert(
      fc.property(ids, ids, (id, other) => {
        fc.pre(id !== other);
        expect(judgePublish(server(id), qos1(deviceTopic(other)))).toBeUndefined();
        expect(judgePublish(server(id), qos1(joinTopic(id, other)))?.code).toBe('BROKER_PUBLISH');
        expect(judgeSubscribe(server(id), deviceTopic(other))).toBeUndefined();
        expect(judgeSubscribe(server(id), joinFilter(id))).toBeUndefined();
        expect(judgeSubscribe(server(id), joinFilter(other))?.code).toBe('BROKER_SUBSCRIBE');
        expect(mayReceive(server(id), joinTopic(id, other))).toBe(true);
        expect(mayReceive(server(id), deviceTopic(other))).toBe(true);
        expect(mayReceive(server(id), joinTopic(other, id))).toBe(false);
        expect(mayReceive(server(id), '$SYS/x')).toBe(false);
      }),
    );
  });

  test('retained messages and QoS 2 are refused on the right topic too', () => {
    const topic = deviceTopic(1n);
    expect(judgePublish(device(1n), { topic, qos: 1, retain: true })?.code).toBe('BROKER_RETAIN');
    expect(judgePublish(device(1n), { topic, qos: 2, retain: false })?.code).toBe('BROKER_QOS');
    expect(judgePublish(device(1n), { topic, qos: 0, retain: false })).toBeUndefined();
  });

  test('the client id is the one of the certificate, and there is no will', () => {
    const clientId = mqttClientId(1n);
    expect(judgeConnect(device(1n), { clientId })).toBeUndefined();
    expect(judgeConnect(device(2n), { clientId })?.code).toBe('BROKER_CLIENT_ID');
    expect(judgeConnect(device(1n), { clientId, will: {} })?.code).toBe('BROKER_WILL');
  });

  test('the log quotes a stranger’s text short and on one line', () => {
    const verdict = judgePublish(device(1n), qos1(`a\nb${'x'.repeat(10_000)}`));
    expect(verdict?.detail.length).toBeLessThan(120);
    expect(verdict?.detail).not.toContain('\n');
  });
});

describe('the packet meter', () => {
  const LIMIT = 300;

  /** The header of a PUBLISH with a body of this length. */
  function headerOf(length: number): number[] {
    const header = [0x30];
    let rest = length;
    do {
      header.push((rest % 128) + (rest > 127 ? 128 : 0));
      rest = Math.floor(rest / 128);
    } while (rest > 0);
    return header;
  }

  const packet = (length: number): number[] => [...headerOf(length), ...Array.from({ length }, () => 0xff)];

  /** The bytes in chunks that end at these places. */
  function chunks(bytes: readonly number[], cuts: readonly number[]): Uint8Array[] {
    const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
    return ends.map((end, i) => Uint8Array.from(bytes.slice(ends[i - 1] ?? 0, end)));
  }

  test('lets every row of packets within the limit pass, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(LIMIT), { maxLength: 8 }), fc.array(fc.nat(10_000)), (lengths, cuts) => {
        const isWithin = createPacketMeter(LIMIT);
        expect(chunks(lengths.flatMap(packet), cuts).every(isWithin)).toBe(true);
      }),
    );
  });

  test('stops at the header of a packet over the limit, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(LIMIT), { maxLength: 4 }),
        fc.integer({ min: LIMIT + 1, max: 268_435_455 }),
        fc.array(fc.nat(10_000)),
        (lengths, length, cuts) => {
          const isWithin = createPacketMeter(LIMIT);
          const bytes = [...lengths.flatMap(packet), ...headerOf(length)];
          expect(chunks(bytes, cuts).every(isWithin)).toBe(false);
        },
      ),
    );
  });

  test('takes no header with a fifth byte of length', () => {
    expect(createPacketMeter(LIMIT)(Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x80, 0x00))).toBe(false);
    expect(createPacketMeter(LIMIT)(Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x00))).toBe(true);
  });
});

describe('the pacer', () => {
  test('lets a burst pass, then one at a time', () => {
    const wait = createPacer({ perSecond: 10, burst: 3 });
    expect([wait(0), wait(0), wait(0), wait(0), wait(0)]).toEqual([0, 0, 0, 100, 200]);
    expect(wait(1000)).toBe(0);
    expect(wait(100_000)).toBe(0);
    expect([wait(100_000), wait(100_000), wait(100_000)]).toEqual([0, 0, 100]);
  });
});
