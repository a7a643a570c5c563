import { expect, test } from 'vitest';
import { backoffMs } from './backoff.ts';

const bounds = { leastMs: 100, mostMs: 1_000 };

test('doubles with each failure up to a bound, and is jittered over the upper half (P 10.10)', () => {
  const waits = (random: number) => [1, 2, 3, 4, 5, 1_000_000].map((n) => backoffMs(n, bounds, random));
  expect(waits(1)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  expect(waits(0)).toEqual([50, 100, 200, 400, 500, 500]);
});
