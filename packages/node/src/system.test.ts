import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { identityText, tokenOfKey, tokenTime, type Random } from '@srup/protocol';
import { testClock } from '../../protocol/test/contracts/clock.ts';
import { testRandom } from '../../protocol/test/contracts/random.ts';
import { realDelay } from './delay.ts';
import { newIdentity, newToken, systemClock, systemRandom } from './system.ts';

const wallClock = (now: number) => vi.useFakeTimers({ now, toFake: ['Date'] });

afterEach(() => {
  vi.useRealTimers();
});

testRandom('the system', () => systemRandom);

testClock('the system', () => ({
  clock: systemClock,
  delay: realDelay,
  pass: async (ms) => {
    await pause(ms);
  },
  set: wallClock,
  unset: () => wallClock(0),
}));

test.each([
  ['1970-01-01', false],
  ['2025-12-31', false],
  ['2026-06-01', true],
  ['2065-12-31', true],
  ['2099-01-01', false],
])('a clock that says %s is trusted: %s', (date, trusted) => {
  vi.useFakeTimers({ now: new Date(date), toFake: ['Date'] });
  expect(systemClock.isTrusted()).toBe(trusted);
});

test('a new token carries its time (P 6.1) and is used once', () => {
  const clock = { ...systemClock, now: () => 1_790_000_000_123 };
  const token = newToken(clock, systemRandom);
  expect(tokenTime(tokenOfKey(token))).toBe(1_790_000_000_123);
  expect(newToken(clock, systemRandom)).not.toBe(token);
});

test('a new identity never begins with the digit 0 (P 2.7)', () => {
  const draws = [0x00, 0x0f, 0xa5];
  const random: Random = { ...systemRandom, bytes: (count) => new Uint8Array(count).fill(draws.shift()!) };
  expect(identityText(newIdentity(random))).toBe('a5a5a5a5a5a5a5a5');
  expect(identityText(newIdentity(systemRandom))).toMatch(/^[1-9a-f][0-9a-f]{15}$/);
});
