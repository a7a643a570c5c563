import { expect, it } from 'vitest';
import { until } from './until.ts';

it('gives what the condition gave, whether at once or later, by promise or not', async () => {
  let looks = 0;
  expect(await until('the third look', () => (looks++ < 2 ? undefined : 'found'))).toBe('found');
  expect(await until('a promise', async () => (looks++ < 5 ? null : 0))).toBe(0);
  expect(await until('a truth', () => looks++ > 8)).toBe(true);
});

it('says what it waited for in vain', async () => {
  const never = until('the impossible', () => false, { patienceMs: 5, everyMs: 1 });
  await expect(never).rejects.toThrow('waited 5 ms in vain: the impossible');
});

it('fails at once when looking fails', async () => {
  await expect(until('it', () => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
});
