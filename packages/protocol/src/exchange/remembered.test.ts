import { describe, expect, it } from 'vitest';
import { freshFrom, seededRandom, SOLO_DEVICE } from '../testing/index.ts';
import { tokenOfKey } from '../token.ts';
import type { DeviceFacts, DeviceInput } from './device-step.ts';
import type { DeviceState, Finished } from './device-state.ts';
import type { Moment } from './step.ts';
import { initialDevice, stepDevice } from './device.ts';
import { createMemory, FINISHED_MS, MAX_FINISHED, MIN_FINISHED } from './remembered.ts';

const DAY = 24 * 60 * 60 * 1000;
const NOW = Date.UTC(2026, 0, 1);
const MOMENT: Moment = { now: NOW, trusted: true, random: 0.5 };
const DONE = { kind: 'action', result: 'done', answer: 0x20, content: '1' } as const;

type Entry = readonly [string, Finished];
type Undated = Omit<Finished, 'at' | 'undated'>;

function remembering(count: number, at: (n: number) => number, name = 't'): Entry[] {
  return Array.from({ length: count }, (_, n) => [`${name}-${n}`, { ...DONE, at: at(n) }]);
}

function tokensAfter(before: readonly Entry[], moment = MOMENT, token = 'new'): string[] {
  const memory = createMemory(before);
  const at = Math.max(moment.now, memory.newest + 1);
  const forgotten = memory.remember([[token, { ...DONE, at }]], moment);
  const tokens = memory.entries().map(([one]) => one);
  expect(new Set([...tokens, ...forgotten]).size).toBe(tokens.length + forgotten.length);
  expect(tokens).toHaveLength(memory.size);
  return tokens;
}

describe('finished tokens (P 6.4)', () => {
  it('are kept for 30 days, however many', () => {
    expect(tokensAfter(remembering(2000, (n) => NOW - FINISHED_MS + n))).toHaveLength(2001);
  });

  it('older than 30 days are kept up to 256 in all, the newest', () => {
    const tokens = tokensAfter(remembering(2000, (n) => NOW - FINISHED_MS - 1 - n));
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
    const unset = { ...MOMENT, trusted: false };
    expect(
      tokensAfter(
        remembering(2000, () => 0),
        unset,
      ),
    ).toHaveLength(2001);
  });

  it('are forgotten in the order in which they were finished, whatever the clock said', () => {
    const device = recalling(remembering(MAX_FINISHED, (n) => NOW + n));
    const unset = { now: 1000, trusted: false, random: 0.5 };
    device.finish('first', unset);
    device.finish('second', unset);
    device.finish('third', MOMENT);
    const tokens = device.tokens();
    expect(tokens).toHaveLength(MAX_FINISHED);
    expect(tokens).toEqual(expect.arrayContaining(['first', 'second', 'third', 't-3']));
    expect(tokens).not.toContain('t-0');
    expect(tokens).not.toContain('t-2');
  });

  it('finished while the clock was not set have no age afterwards either', () => {
    const device = recalling(remembering(1, () => NOW - 2 * FINISHED_MS));
    for (let n = 0; n < 300; n++) device.finish(`u-${n}`, { ...MOMENT, now: n, trusted: false });
    device.finish('new', MOMENT);
    expect(device.tokens()).toEqual(expect.arrayContaining(['new', 'u-0', 'u-299']));
    expect(device.tokens()).not.toContain('t-0');
  });

  it('finished again in the step that would forget them are not named as forgotten', () => {
    const memory = createMemory(remembering(MAX_FINISHED, (n) => NOW + n));
    const again = { ...DONE, at: NOW + MAX_FINISHED + 1 };
    const other = { ...DONE, at: NOW + MAX_FINISHED };
    const forgotten = memory.remember(
      [
        ['new', other],
        ['t-0', again],
      ],
      MOMENT,
    );
    expect(forgotten).toEqual(['t-1']);
    expect(memory.get('t-0')).toEqual(again);
  });
});

const FACTS: DeviceFacts = { self: SOLO_DEVICE, identification: 'x', allowHttp: false };

/** A joined device of the present code, which finishes tokens by real steps. */
function recalling(before: readonly Entry[]) {
  const memory = createMemory(before);
  let state: DeviceState = { ...initialDevice(), join: { phase: 'joined', attempts: 0 } };

  function tell(input: DeviceInput, moment: Moment): readonly Entry[] {
    const step = stepDevice(state, memory, input, moment, FACTS);
    state = step.state;
    memory.remember(step.finished, moment);
    return step.finished;
  }

  return {
    tell,
    /** Finishes a token as if its action had run. */
    finish: (token: string, moment: Moment) => {
      state = {
        ...state,
        open: { [token]: { kind: 'action', phase: 'running', actionId: 1, openedAt: moment.now } },
      };
      return tell({ on: 'acted', token, outcome: 'done' }, moment);
    },
    tokens: () => memory.entries().map(([token]) => token),
    entries: () => new Map(memory.entries()),
  };
}

/** The rule of P 6.4, read literally: everything is copied, sorted and looked through for each finished token. */
function literal(before: readonly Entry[]) {
  let entries: Entry[] = [...before];
  return {
    finish: (token: string, finished: Undated, { now, trusted }: Moment): void => {
      const newest = entries.reduce((latest, [, { at }]) => Math.max(latest, at), 0);
      const at = Math.max(now, newest + 1);
      const dated: Finished = { ...finished, at, ...(!trusted && { undated: true }) };
      const isOld = (it: Finished) => trusted && it.undated !== true && now - it.at > FINISHED_MS;
      entries = [...entries.filter(([one]) => one !== token), [token, dated] as const]
        .sort(([, a], [, b]) => b.at - a.at)
        .filter(([, it], rank) => rank < MIN_FINISHED || (rank < MAX_FINISHED && !isOld(it)));
    },
    entries: () => new Map(entries),
  };
}

/** Most of the time the clock goes on a little; sometimes by weeks, back, or out of order for a while. */
function* clock(seed: number, inputs: number): Generator<Moment> {
  const random = seededRandom(seed);
  let now = NOW;
  let trusted = true;
  for (let n = 0; n < inputs; n++) {
    if (random.chance(0.02)) trusted = !trusted;
    now += random.unit() * (random.chance(0.05) ? 20 * DAY : 60_000);
    if (random.chance(0.01)) now -= 40 * DAY;
    yield { now: Math.round(trusted ? now : now - NOW), trusted, random: 0.5 };
  }
}

/** What earlier years left: some dated, some not, with ages on both sides of 30 days. */
function earlier(seed: number, count: number): Entry[] {
  const random = seededRandom(seed);
  let at = NOW - 60 * DAY;
  return remembering(count, () => (at += 1 + random.below(2 * Math.ceil((60 * DAY) / (count + 1))))).map(
    ([token, finished]) => [token, random.chance(0.2) ? { ...finished, undated: true } : finished],
  );
}

describe('what is remembered is what the rule of P 6.4 says, read literally', () => {
  it.each([
    { seed: 1, before: 0, inputs: 1500 },
    { seed: 2, before: 250, inputs: 600 },
    { seed: 3, before: 3_000, inputs: 300 },
    { seed: 4, before: 9_950, inputs: 200 },
    { seed: 5, before: 10_200, inputs: 150 },
  ])('seed $seed: $inputs random inputs after $before tokens', async ({ seed, before, inputs }) => {
    const random = seededRandom(seed);
    const start = earlier(seed, before);
    const device = recalling(start);
    const rule = literal(start);
    const tokens = start.map(([token]) => token);
    const handed: string[] = [];

    async function input(moment: Moment): Promise<readonly Entry[]> {
      // Some DATA is taken long after it was handed over, and its token is finished a second time then.
      if (random.chance(0.3) && handed.length > 0) {
        const [token] = handed.splice(random.below(handed.length), 1) as [string];
        return device.tell({ on: 'delivered', token, outcome: 'taken' }, moment);
      }
      if (random.chance(0.2) && tokens.length > 0) return device.finish(random.pick(tokens), moment);
      const token = `n-${tokens.length}`;
      tokens.push(token);
      if (random.chance(0.5)) return device.finish(token, moment);
      handed.push(token);
      const body = { dataId: 'x', data: new Uint8Array() };
      const message = await freshFrom('server', { type: 'DATA', token: tokenOfKey(token), body });
      return device.tell({ on: 'message', message }, moment);
    }

    for (const moment of clock(seed, inputs)) {
      for (const [token, { at: _at, undated: _undated, ...over }] of await input(moment)) {
        rule.finish(token, over, moment);
      }
      expect(device.tokens()).toHaveLength(rule.entries().size);
    }
    expect(device.entries()).toEqual(rule.entries());
    expect(tokens.length).toBeGreaterThan(device.tokens().length);
  });
});
