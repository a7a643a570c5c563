import { describe, expect, it } from 'vitest';
import { inShort, soloDevice } from '../testing/index.ts';
import type { DeviceState, Finished } from './device-state.ts';
import { fingerprint } from './fingerprint.ts';
import { finish, finishedOf, FINISHED_MS, MAX_FINISHED, MIN_FINISHED, openOf } from './memory.ts';

const NOW = Date.UTC(2026, 0, 1);
const MOMENT = { now: NOW, trusted: true, random: 0.5 };
const DONE = { kind: 'action', result: 'done', answer: 0x20, content: '1' } as const;

function remembering(count: number, at: (n: number) => number): DeviceState {
  const entries = Array.from({ length: count }, (_, n): [string, Finished] => [
    `t-${n}`,
    { ...DONE, at: at(n) },
  ]);
  return { join: { phase: 'joined', attempts: 0 }, open: {}, finished: Object.fromEntries(entries) };
}

const tokensAfter = (state: DeviceState, moment = MOMENT) =>
  Object.keys(finish(state, 'new', DONE, moment).finished);

describe('finished tokens (P 6.4)', () => {
  it('are kept for 30 days, however many', () => {
    expect(tokensAfter(remembering(2000, () => NOW - FINISHED_MS))).toHaveLength(2001);
  });

  it('older than 30 days are kept up to 256 in all, the newest', () => {
    const old = remembering(2000, (n) => NOW - FINISHED_MS - 1 - n);
    const tokens = tokensAfter(old);
    expect(tokens).toHaveLength(MIN_FINISHED);
    expect(tokens).toContain('new');
    expect(tokens).toContain('t-0');
    expect(tokens).not.toContain('t-255');
    expect(tokensAfter(remembering(255, () => 0))).toHaveLength(256);
  });

  it('are never more than 10,000: the oldest go', () => {
    const tokens = tokensAfter(remembering(MAX_FINISHED + 5, (n) => NOW - n));
    expect(tokens).toHaveLength(MAX_FINISHED);
    expect(tokens).not.toContain(`t-${MAX_FINISHED}`);
  });

  it('have no age for a clock that is not set', () => {
    expect(
      tokensAfter(
        remembering(2000, () => 0),
        { ...MOMENT, trusted: false },
      ),
    ).toHaveLength(2001);
  });

  it('are forgotten in the order in which they were finished, whatever the clock said', () => {
    const full = remembering(MAX_FINISHED, (n) => NOW + n);
    const unset = { now: 1000, trusted: false, random: 0.5 };
    const once = finish(full, 'first', DONE, unset);
    const twice = finish(once, 'second', DONE, unset);
    const set = finish(twice, 'third', DONE, MOMENT);
    const tokens = Object.keys(set.finished);
    expect(tokens).toHaveLength(MAX_FINISHED);
    expect(tokens).toEqual(expect.arrayContaining(['first', 'second', 'third', 't-3']));
    expect(tokens).not.toContain('t-0');
    expect(tokens).not.toContain('t-2');
  });

  it('finished while the clock was not set have no age afterwards either', () => {
    let state = remembering(1, () => NOW - 2 * FINISHED_MS);
    for (let n = 0; n < 300; n++)
      state = finish(state, `u-${n}`, DONE, { ...MOMENT, now: n, trusted: false });
    expect(tokensAfter(state)).toEqual(expect.arrayContaining(['new', 'u-0', 'u-299']));
    expect(tokensAfter(state)).not.toContain('t-0');
  });

  it('stay finished: no step forgets a recent one', async () => {
    const device = soloDevice();
    for (let n = 0; n < 300; n++) {
      await device.hear('ACTION', `a-${n}`, { actionId: 1 });
      device.tell({ on: 'acted', token: `a-${n}`, outcome: 'done' });
    }
    for (let n = 0; n < 300; n++) {
      expect(inShort(await device.hear('ACTION', `a-${n}`, { actionId: 1 }))).toEqual(['send RESPONSE 20']);
    }
  });
});

describe('tokens with the names of properties', () => {
  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', '42'])(
    '%s is a token like any other',
    async (token) => {
      const device = soloDevice();
      expect(openOf(device.state, token)).toBeUndefined();
      expect(finishedOf(device.state, token)).toBeUndefined();
      expect(inShort(await device.hear('RESPONSE', token, { status: 0x50 }))).toEqual(['refused FLOW_TOKEN']);
      expect(inShort(await device.hear('ACTION', token, { actionId: 1 }))).toEqual(['act']);
      device.state = JSON.parse(JSON.stringify(device.state)) as DeviceState;
      expect(openOf(device.state, token)).toMatchObject({ kind: 'action' });
      expect(inShort(device.tell({ on: 'acted', token, outcome: 'done' }))).toEqual(['send RESPONSE 20']);
      device.state = JSON.parse(JSON.stringify(device.state)) as DeviceState;
      expect(openOf(device.state, token)).toBeUndefined();
      expect(inShort(await device.hear('ACTION', token, { actionId: 1 }))).toEqual(['send RESPONSE 20']);
      expect(Object.keys(device.state.finished)).toEqual([token]);
    },
  );
});

describe('a fingerprint', () => {
  it('differs for every small change, and where parts meet', () => {
    const values = [
      fingerprint(),
      fingerprint(''),
      fingerprint('', ''),
      fingerprint('ab', 'c'),
      fingerprint('a', 'bc'),
      fingerprint('abc'),
      fingerprint('abd'),
      fingerprint('a', Uint8Array.of(0)),
      fingerprint('a', Uint8Array.of(0, 0)),
    ];
    expect(new Set(values).size).toBe(values.length);
    for (const value of values) expect(value).toMatch(/^[0-9a-f]{16}$/);
    expect(fingerprint('abc')).toBe(fingerprint('abc'));
  });

  it('of a hundred thousand numbers is never the same', () => {
    const values = new Set(Array.from({ length: 100_000 }, (_, n) => fingerprint('dataId', String(n))));
    expect(values.size).toBe(100_000);
  });
});
