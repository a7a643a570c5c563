import { expect, test } from 'vitest';
import { runPowerCuts } from './power/run.ts';

const CUTS = 360;
const STARTS = 4;

test('power cuts before every write of a device, with writes torn, lost and reordered: it goes on as it was', async () => {
  const { operations, control, starts, faults } = await runPowerCuts(1, CUTS, STARTS);
  expect(faults).toEqual([]);
  // Each of them at least once, and the looking is not blind.
  expect(operations).toBeGreaterThan(200);
  expect(operations).toBeLessThan(CUTS);
  expect(starts).toBe(STARTS);
  expect(control).toBeGreaterThan(10);
});
