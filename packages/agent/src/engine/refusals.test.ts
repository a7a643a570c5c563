import { expect, test } from 'vitest';
import { manualClock } from '@srup/protocol/testing';
import { makeLog } from '../../test/log.ts';
import { createRefusals } from './refusals.ts';

test('all are counted, a flood is not logged, and the next minute is', () => {
  const log = makeLog();
  const clock = manualClock(0);
  const refusals = createRefusals(log, clock);
  for (let n = 0; n < 1000; n++) refusals.note('WIRE_SHORT', Uint8Array.of(5));
  expect(refusals.counts()).toEqual({ WIRE_SHORT: 1000 });
  expect(log.lines).toHaveLength(20);
  expect(log.lines.at(-1)?.text).toContain('only counted');
  expect(log.lines[0]).toEqual({
    level: 'warn',
    text: 'message refused',
    fields: { code: 'WIRE_SHORT', bytes: 1 },
  });
  clock.advance(60_001);
  refusals.note('AUTH_TOPIC', new Uint8Array(0));
  expect(log.lines).toHaveLength(21);
});
