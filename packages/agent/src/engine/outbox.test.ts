import { silentLog } from '@srup/node';
import { expect, test } from 'vitest';
import { until } from '@srup/node/testing';
import { manualClock } from '@srup/protocol/testing';
import { createOutbox, type Outbox } from './outbox.ts';
import type { OutboxEntry } from './records.ts';

function entry(n: number, token = `t${n}`): OutboxEntry {
  return { n, topic: 'SRUP/1', bytes: Uint8Array.of(n), type: 'RESPONSE', token };
}

/** An outbox, what left it, and a connection that a test makes refuse. */
function open(initial: OutboxEntry[] = []) {
  const left: number[] = [];
  const refused = new Set<number>();
  const clock = manualClock(0);
  const outbox: Outbox = createOutbox(initial, {
    onSent: () => undefined,
    delay: clock.delay,
    log: silentLog,
  });
  const connect = () => {
    outbox.connect((_topic, bytes) => {
      const [n = 0] = bytes;
      if (!refused.has(n)) {
        left.push(n);
        return Promise.resolve();
      }
      setImmediate(connect); // the broker dropped the connection, and it comes back
      return Promise.reject(new Error('refused'));
    });
  };
  return { outbox, left, refused, connect, clock };
}

test('what was left over goes first, everything in order, and only while there is a connection', async () => {
  const { outbox, left, connect } = open([entry(1), entry(2)]);
  outbox.add([entry(outbox.nextNumber())]);
  expect(left).toEqual([]);
  connect();
  await until('all left', () => outbox.entries().length === 0);
  expect(left).toEqual([1, 2, 3]);
  outbox.connect(undefined);
  outbox.add([entry(outbox.nextNumber())]);
  expect(outbox.entries().map(({ n }) => n)).toEqual([4]);
  expect(outbox.bytes()).toBe(1);
});

test('a message that is refused again and again lets the others pass, and leaves when it may', async () => {
  const { outbox, left, refused, connect } = open([entry(1), entry(2), entry(3)]);
  refused.add(1);
  connect();
  await until('the others left', () => left.length === 2);
  expect(left).toEqual([2, 3]);
  refused.clear();
  await until('all left', () => outbox.entries().length === 0);
  expect(left).toEqual([2, 3, 1]);
});

test('waiting for a token ends when it left, when it was dropped, or with the time', async () => {
  const { outbox, connect, clock } = open([entry(1, 'a'), entry(2, 'b'), entry(3, 'c')]);
  await outbox.sent(10_000, 'unknown');
  const late = outbox.sent(20, 'a'); // no connection: the time ends it
  clock.advance(20);
  await late;
  const dropped = outbox.sent(10_000, 'b');
  outbox.drop(new Set([2]));
  await dropped;
  const all = outbox.sent(10_000);
  connect();
  await all;
  expect(outbox.entries()).toEqual([]);
  expect(clock.waiting()).toBe(0);
});
