import { expect, test } from 'vitest';
import { systemRandom } from '@srup/node';
import { MAX_SEQUENCE_JUMP } from '@srup/protocol';
import { jumpAfter } from './ahead.ts';

const DAY = 86_400_000;
const YEAR = 365 * DAY;

test('every device accepts the jump, however old the backup is (P 5.2)', () => {
  for (const age of [0, DAY, YEAR, 10 * YEAR, 100 * YEAR]) {
    const jump = jumpAfter(age, systemRandom);
    expect(jump).toBeLessThan(MAX_SEQUENCE_JUMP - 2n ** 27n);
    expect(jump).toBeGreaterThanOrEqual(2n ** 26n);
  }
});

test('the jump covers ten messages a second for ten years', () => {
  expect(jumpAfter(10 * YEAR, systemRandom)).toBeGreaterThan(10n * BigInt((10 * YEAR) / 1000));
});

test('two restores of one backup at the same time jump apart', () => {
  const jumps = Array.from({ length: 50 }, () => jumpAfter(DAY, systemRandom));
  expect(new Set(jumps).size).toBe(50);
});
