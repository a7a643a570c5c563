import { expect, test, vi } from 'vitest';
import { createArrivals, pubacks, takeInOrder, type Line, type MqttArrival } from './arrivals.ts';
import { createQueue } from './queue.ts';

const tick = () => new Promise((resolve) => setImmediate(resolve));

function manual(most = 10) {
  const groups: (readonly number[])[] = [];
  const arrivals = createArrivals({ most, acknowledge: (ids) => groups.push(ids) });
  const hands: PromiseWithResolvers<undefined>[] = [];
  const receive = (id: number | undefined, next: () => void = () => undefined) => {
    arrivals.receive(
      id,
      () => {
        const taking = Promise.withResolvers<undefined>();
        hands.push(taking);
        return taking.promise;
      },
      next,
    );
  };
  return { arrivals, groups, hands, receive };
}

test('what is ready at once is acknowledged at once; QoS 0 wants nothing', async () => {
  const { groups, hands, receive } = manual();
  for (const id of [7, 8, undefined, 9, 10]) receive(id);
  for (const at of [3, 1, 2, 0]) hands[at]!.resolve(undefined);
  await tick();
  expect(groups).toEqual([[7, 8, 9]]);
  hands[4]!.resolve(undefined);
  await tick();
  expect(groups).toEqual([[7, 8, 9], [10]]);
});

test('nothing is acknowledged after the end, and what waits for room is let pass unseen', async () => {
  const { arrivals, groups, hands, receive } = manual(1);
  const next = vi.fn();
  receive(1);
  receive(2, next);
  hands[0]!.resolve(undefined);
  arrivals.end();
  await tick();
  receive(3, next);
  expect([groups, hands.length, next.mock.calls.length]).toEqual([[], 1, 2]);
});

test('PUBACK packets are four bytes each', () => {
  expect(pubacks([1, 0xabcd])).toEqual(Uint8Array.of(0x40, 2, 0, 1, 0x40, 2, 0xab, 0xcd));
});

test('in the queue of a sender nothing is begun after a message that was not taken', async () => {
  let isOver = false;
  const drop = vi.fn(() => {
    isOver = true;
  });
  const line: Line = {
    get isOver() {
      return isOver;
    },
    drop,
  };
  const arrival: MqttArrival = {
    ...{ topic: 't', bytes: Uint8Array.of(), retained: false, repeated: false, line },
  };
  const begun: number[] = [];
  const queue = createQueue();
  const take = (n: number) =>
    queue.run(() =>
      takeInOrder(arrival, async () => {
        begun.push(n);
        if (n === 2) throw new Error('disk full');
      }),
    );
  const taken = await Promise.allSettled([1, 2, 3].map(take));
  expect(begun).toEqual([1, 2]);
  expect(drop).toHaveBeenCalledExactlyOnceWith('a message could not be taken: disk full');
  expect(taken).toMatchObject([
    { status: 'fulfilled' },
    { reason: { message: 'disk full' } },
    { reason: { name: 'LineOver' } },
  ]);
});
