import { expect, test } from 'vitest';
import { UserError } from '../user-error.ts';
import { assignFaults, drawn, parseShare } from './choose.ts';

const slowOnes = (seed: string, devices: number, part: number) =>
  assignFaults(seed, devices, { slow: { part } }).flatMap((faults, device) =>
    faults.has('slow') ? [device] : [],
  );

test('a share is a percentage or a number of devices', () => {
  expect(parseShare('5%', '--slow')).toEqual({ part: 0.05 });
  expect(parseShare('0.5%', '--slow')).toEqual({ part: 0.005 });
  expect(parseShare('12', '--slow')).toEqual({ count: 12 });
  for (const bad of ['', '%', '-1', '101%', '5 %', '1e3', 'all']) {
    expect(() => parseShare(bad, '--slow'), bad).toThrow(UserError);
  }
});

test('as many devices have a fault as asked for, the same ones for the same seed', () => {
  expect(slowOnes('1', 1000, 0.05)).toHaveLength(50);
  expect(slowOnes('1', 1000, 0.05)).toEqual(slowOnes('1', 1000, 0.05));
  expect(slowOnes('1', 1000, 0.05)).not.toEqual(slowOnes('2', 1000, 0.05));
  expect(assignFaults('1', 3, { slow: { count: 9 } }).every((faults) => faults.has('slow'))).toBe(true);
});

test('two faults fall on devices independently of each other', () => {
  const faults = assignFaults('1', 10_000, { slow: { part: 0.5 }, defer: { part: 0.5 } });
  const both = faults.filter((one) => one.has('slow') && one.has('defer')).length;
  expect(both).toBeGreaterThan(2_300);
  expect(both).toBeLessThan(2_700);
});

test('what is drawn is evenly spread', () => {
  const draws = Array.from({ length: 10_000 }, (_, n) => drawn('seed', 'delay', n));
  expect(draws.every((one) => one >= 0 && one < 1)).toBe(true);
  expect(draws.reduce((sum, one) => sum + one) / draws.length).toBeCloseTo(0.5, 1);
});
