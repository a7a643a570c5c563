/** Threat 30, for every test run: the same inputs each time. `npm run fuzz` sends ten million, and also checks the time. */
import { expect, test } from 'vitest';
import { WIRE_CODES } from '@srup/protocol';
import { fuzz } from '../../fuzz/fuzz.ts';
import { runWithout } from '../support/mutant.ts';

const INPUTS = 20_000;

test('every input is refused by a code or comes back exactly', async () => {
  const { failures, verdicts, inputs } = await fuzz({ seed: 5, inputs: INPUTS, judgesTime: false });
  expect(failures).toEqual([]);
  expect(inputs).toBe(INPUTS);
  const all = new Set([...verdicts.values()].flatMap((counts) => [...counts.keys()]));
  // Control: the inputs reach both sides, every refusal of the decoder and every target.
  for (const code of WIRE_CODES) expect(all).toContain(code);
  expect(all).toContain('exact round trip');
  expect(all).toContain('opened');
  for (const [target, counts] of verdicts) expect([target, counts.size > 1]).toEqual([target, true]);
});

test('without the check for leftovers, messages are read that come back as other bytes', async () => {
  const failures = await runWithout<string[]>(['leftovers'], './fuzz.ts', { seed: 5, inputs: 2_000 });
  expect(failures).toContainEqual(expect.stringMatching(/^damaged vectors, input \d+: FAILED/));
});
