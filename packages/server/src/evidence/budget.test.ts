import { expect, test } from 'vitest';
import type { NewMessage } from '../store/schema/messages.ts';
import { createEntryBudget } from './budget.ts';

const message = (fields: Partial<NewMessage>): NewMessage => ({
  at: 0,
  device: 'a1',
  direction: 'in',
  type: 'RESPONSE',
  sequence: '1',
  token: 't',
  bytes: new Uint8Array(),
  ...fields,
});

test('telemetry never gets entries of its own; other messages do, until a device causes too many', () => {
  let now = 0;
  const deserves = createEntryBudget({ monotonic: () => now });
  expect(deserves(message({ type: 'DATA' }))).toBe(false);
  expect(deserves(message({ type: 'DATA', direction: 'out' }))).toBe(true);
  let granted = 1;
  while (deserves(message({})) && granted < 10_000) granted += 1;
  expect(granted).toBe(600);
  expect(deserves(message({ device: 'b2' }))).toBe(true);
  now += 3_600_000;
  expect(deserves(message({}))).toBe(true);
});
