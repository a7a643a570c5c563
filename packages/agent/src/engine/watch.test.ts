import { expect, test } from 'vitest';
import type { Random } from '@srup/protocol';
import { manualClock } from '@srup/protocol/testing';
import { createWatch } from './watch.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 6, 1);
const random: Random = { bytes: (count) => new Uint8Array(count), unit: () => 0.25 };

test('a moment is the time, the belief in it, and a number by chance', () => {
  const watch = createWatch(manualClock(START), random, 0);
  expect(watch.moment()).toEqual({ now: START, trusted: true, random: 0.25 });
  expect(watch.floor()).toBe(START);
});

test('a clock that was never set is not believed, and lowers or raises nothing', () => {
  const clock = manualClock(0);
  clock.trust(false);
  const watch = createWatch(clock, random, START);
  expect(watch.moment().trusted).toBe(false);
  expect(watch.floor()).toBe(START);
});

test('small corrections backwards are believed, an hour is not, until the clock has caught up', () => {
  const clock = manualClock(START);
  const watch = createWatch(clock, random, 0);
  watch.moment();
  clock.set(START - 30_000);
  expect(watch.moment().trusted).toBe(true);
  clock.set(START - HOUR);
  expect(watch.moment().trusted).toBe(false);
  clock.set(START + 1);
  expect(watch.moment().trusted).toBe(true);
});

test('a clock that was ahead and was put right is believed again when the server shows the same time', () => {
  const clock = manualClock(START + 1000 * HOUR);
  const watch = createWatch(clock, random, 0);
  watch.moment();
  clock.set(START);
  watch.heard(undefined);
  watch.heard(START - HOUR);
  expect(watch.moment().trusted).toBe(false);
  watch.heard(START - 1000);
  expect(watch.moment().trusted).toBe(true);
  expect(watch.floor()).toBe(START);
});
