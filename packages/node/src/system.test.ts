import { afterEach, expect, test, vi } from 'vitest';
import { identityText, tokenOfKey, tokenTime, type Random } from '@srup/protocol';
import { newIdentity, newToken, systemClock, systemRandom } from './system.ts';

afterEach(() => {
  vi.useRealTimers();
});

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

test('monotonic time does not follow the clock when it steps back', () => {
  const before = systemClock.monotonic();
  vi.useFakeTimers({ now: 0, toFake: ['Date'] });
  expect(systemClock.now()).toBe(0);
  expect(systemClock.monotonic()).toBeGreaterThanOrEqual(before);
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

test('random bytes have the length asked for and do not repeat; units are from 0 to 1', () => {
  expect(systemRandom.bytes(32)).toHaveLength(32);
  expect(systemRandom.bytes(32)).not.toEqual(systemRandom.bytes(32));
  const unit = systemRandom.unit();
  expect(unit >= 0 && unit < 1).toBe(true);
});
