import { expect, test } from 'vitest';
import {
  accept,
  AUTH_CODES,
  EFFECT_CODES,
  FLOW_CODES,
  reject,
  REPLAY_CODES,
  stageOf,
  WIRE_CODES,
} from './faults.ts';

test('every code names its stage, and no code is used twice', () => {
  const stages = {
    wire: WIRE_CODES,
    auth: AUTH_CODES,
    replay: REPLAY_CODES,
    flow: FLOW_CODES,
    effect: EFFECT_CODES,
  };
  const all = Object.entries(stages).flatMap(([stage, codes]) => codes.map((code) => [code, stage] as const));
  for (const [code, stage] of all) expect([code, stageOf(code)]).toEqual([code, stage]);
  expect(new Set(all.map(([code]) => code)).size).toBe(all.length);
});

test('a refusal is a plain value', () => {
  expect(reject('WIRE_SHORT', 7)).toEqual({ ok: false, code: 'WIRE_SHORT', stage: 'wire', offset: 7 });
  expect(reject('REPLAY_OLD')).toEqual({ ok: false, code: 'REPLAY_OLD', stage: 'replay' });
  expect(accept(1)).toEqual({ ok: true, value: 1 });
});
