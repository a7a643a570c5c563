import { expect, test } from 'vitest';
import type { Clock, Random } from '@srup/protocol';
import { makeWatch, readBootId } from './watch.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 6, 1);
const random: Random = { bytes: (count) => new Uint8Array(count), unit: () => 0.25 };

function clockAt(start: number): Clock & { time: number; trusted: boolean } {
  const clock = {
    time: start,
    trusted: true,
    now: () => clock.time,
    monotonic: () => 0,
    isTrusted: () => clock.trusted,
  };
  return clock;
}

test('a moment is the time, the belief in it, and a number by chance', () => {
  const watch = makeWatch(clockAt(START), random, 0);
  expect(watch.moment()).toEqual({ now: START, trusted: true, random: 0.25 });
  expect(watch.floor()).toBe(START);
});

test('a clock that was never set is not believed, and lowers or raises nothing', () => {
  const clock = clockAt(0);
  clock.trusted = false;
  const watch = makeWatch(clock, random, START);
  expect(watch.moment().trusted).toBe(false);
  expect(watch.floor()).toBe(START);
});

test('small corrections backwards are believed, an hour is not, until the clock has caught up', () => {
  const clock = clockAt(START);
  const watch = makeWatch(clock, random, 0);
  watch.moment();
  clock.time = START - 30_000;
  expect(watch.moment().trusted).toBe(true);
  clock.time = START - HOUR;
  expect(watch.moment().trusted).toBe(false);
  clock.time = START + 1;
  expect(watch.moment().trusted).toBe(true);
});

test('a clock that was ahead and was put right is believed again when the server shows the same time', () => {
  const clock = clockAt(START + 1000 * HOUR);
  const watch = makeWatch(clock, random, 0);
  watch.moment();
  clock.time = START;
  watch.heard(undefined);
  watch.heard(START - HOUR);
  expect(watch.moment().trusted).toBe(false);
  watch.heard(START - 1000);
  expect(watch.moment().trusted).toBe(true);
  expect(watch.floor()).toBe(START);
});

test('the boot id of this system', async () => {
  expect(await readBootId()).toMatch(/^[0-9a-f-]{36}$/);
});
