import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from '../../scripts/workspaces.ts';
import { isGood, outcomes, type Tested } from './outcome.ts';
import { ROWS, type Row } from './rows.ts';
import { applyMutations } from './support/mutate.ts';
import { MUTATIONS } from './support/mutations.ts';

const ROW: Row = { number: 14, attack: 'swap', holds: 'hash' };
const HOLDS = 'a swapped file does not run';
const CONTROL = 'without the hash, it runs';

function verdicts(row: Row, ...tests: readonly Omit<Tested, 'file'>[]) {
  const all = outcomes(
    tests.map((one) => ({ ...one, file: '/x/test/attacks/14-swap.test.ts' })),
    [row],
  );
  return { ...all[0]!.on, isGood: isGood(all) };
}

const passed = (...names: readonly string[]) => ({ names, state: 'passed' }) as const;

test('the rows are numbered without a gap', () => {
  expect(ROWS.map(({ number }) => number)).toEqual(ROWS.map((_, index) => index + 1));
});

describe('a row', () => {
  test('holds when a test and a control have passed', () => {
    const found = verdicts(ROW, passed(HOLDS), passed(CONTROL));
    expect(found).toEqual({ embedded: 'pass', mosquitto: 'pass', isGood: true });
  });

  test('does not hold by assertion alone, nor by a control alone', () => {
    expect(verdicts(ROW, passed(HOLDS))).toMatchObject({ embedded: 'no control', isGood: false });
    expect(verdicts(ROW, passed(CONTROL))).toMatchObject({ embedded: 'not run', isGood: false });
  });

  test.each([HOLDS, CONTROL])('fails with any of its tests: %s', (name) => {
    const found = verdicts(ROW, passed(HOLDS), passed(CONTROL), { names: [name], state: 'failed' });
    expect(found).toEqual({ embedded: 'FAIL', mosquitto: 'FAIL', isGood: false });
  });

  test('in which a broker takes part holds on the brokers that it was shown on', () => {
    const row: Row = { ...ROW, broker: true };
    const here = (name: string) => passed('an attack [embedded]', name);
    expect(verdicts(row, here(HOLDS), here(CONTROL))).toEqual({
      embedded: 'pass',
      mosquitto: 'not run',
      isGood: false,
    });
    expect(verdicts(row, passed(HOLDS), passed(CONTROL))).toMatchObject({ embedded: 'not run' });
    const skipped = { names: ['an attack [mosquitto]', HOLDS], state: 'skipped' } as const;
    expect(verdicts(row, here(HOLDS), here(CONTROL), skipped)).toMatchObject({ mosquitto: 'not run' });
  });

  test('that is not built is no failure, as long as nothing claims to test it', () => {
    expect(verdicts({ ...ROW, later: true })).toMatchObject({ embedded: 'not yet', isGood: true });
    expect(verdicts({ ...ROW, later: true }, passed(HOLDS))).toMatchObject({ isGood: false });
  });
});

describe('what controls take away', () => {
  test.each(Object.entries(MUTATIONS))('%s stands in its file exactly once', (_name, mutation) => {
    const text = readFileSync(join(root, mutation.file), 'utf8');
    expect(applyMutations(text, [mutation])).not.toBe(text);
  });

  test('a text that is not there, or there twice, is an error', () => {
    const mutation = { file: 'x.ts', from: 'check', to: '' };
    expect(() => applyMutations('nothing', [mutation])).toThrow('x.ts has 0 places');
    expect(() => applyMutations('check, check', [mutation])).toThrow('x.ts has 2 places');
  });
});
