import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_SEQUENCE_JUMP, MAX_U64, REPLAY_WINDOW } from '../limits.ts';
import { EMPTY_WINDOW, type ReplayWindow } from './peer.ts';
import { advance } from './replay.ts';

function codeOf(window: ReplayWindow, sequence: bigint, mayJump = false): string {
  const result = advance(window, sequence, mayJump, 0n);
  return result.ok ? 'accepted' : result.code;
}

function after(window: ReplayWindow, ...sequences: readonly bigint[]): ReplayWindow {
  for (const sequence of sequences) {
    const next = advance(window, sequence, false, 0n);
    if (!next.ok) throw new Error(`${sequence}: ${next.code}`);
    window = next.value;
  }
  return window;
}

const AT_100 = after(EMPTY_WINDOW, 100n);

test('the number 0 is never accepted: numbers begin at 1 (P 5)', () => {
  expect(codeOf(EMPTY_WINDOW, 0n)).toBe('REPLAY_SEEN');
  expect(codeOf(EMPTY_WINDOW, 1n)).toBe('accepted');
});

test('a number is accepted once (P 5.2)', () => {
  expect(codeOf(AT_100, 100n)).toBe('REPLAY_SEEN');
  expect(codeOf(after(AT_100, 99n), 99n)).toBe('REPLAY_SEEN');
  expect(codeOf(after(AT_100, 101n), 100n)).toBe('REPLAY_SEEN');
});

test('numbers may be skipped (P 5.1)', () => {
  expect(codeOf(AT_100, 101n)).toBe('accepted');
  expect(codeOf(AT_100, 5000n)).toBe('accepted');
});

test('64 numbers below the highest are judged one by one, older ones are not (P 5.2)', () => {
  expect(codeOf(AT_100, 100n - BigInt(REPLAY_WINDOW))).toBe('accepted');
  expect(codeOf(AT_100, 99n - BigInt(REPLAY_WINDOW))).toBe('REPLAY_OLD');
  // The lowest of them is remembered too, also after the window moved.
  const low = after(AT_100, 36n);
  expect(codeOf(low, 36n)).toBe('REPLAY_SEEN');
  expect(codeOf(after(low, 101n), 36n)).toBe('REPLAY_OLD');
});

test('moving the window by its whole width forgets nothing too early', () => {
  expect(codeOf(after(AT_100, 164n), 100n)).toBe('REPLAY_SEEN');
  expect(codeOf(after(AT_100, 165n), 100n)).toBe('REPLAY_OLD');
  expect(codeOf(after(AT_100, 165n), 101n)).toBe('accepted');
});

describe('a jump (P 5.2)', () => {
  const edge = 100n + MAX_SEQUENCE_JUMP;

  test('of 2^32 is the largest outside a join', () => {
    expect(codeOf(AT_100, edge)).toBe('accepted');
    expect(codeOf(AT_100, edge + 1n)).toBe('REPLAY_JUMP');
    expect(codeOf(AT_100, MAX_U64)).toBe('REPLAY_JUMP');
  });

  test('of any size is accepted in a join, and the highest number stays usable', () => {
    expect(codeOf(AT_100, edge + 1n, true)).toBe('accepted');
    const top = advance(AT_100, MAX_U64, true, 0n);
    expect(top).toEqual({ ok: true, value: { highest: MAX_U64, seen: 1n } });
    if (top.ok) expect(codeOf(top.value, MAX_U64 - 1n)).toBe('accepted');
  });

  test('does not excuse a replay', () => {
    expect(codeOf(AT_100, 100n, true)).toBe('REPLAY_SEEN');
    expect(codeOf(AT_100, 1n, true)).toBe('REPLAY_OLD');
  });
});

test('refusing changes nothing: the window given stays as it was', () => {
  const before = { ...AT_100 };
  for (const sequence of [0n, 1n, 100n, 1n << 40n, 101n]) advance(AT_100, sequence, false, 0n);
  expect(AT_100).toEqual(before);
});

/** The rule of P 5.2 as a set of numbers. */
class Model {
  highest = 0n;
  readonly accepted = new Set<bigint>([0n]);

  take(sequence: bigint, mayJump: boolean): string {
    const ahead = sequence - this.highest;
    if (ahead > MAX_SEQUENCE_JUMP && !mayJump) return 'REPLAY_JUMP';
    if (ahead < -BigInt(REPLAY_WINDOW)) return 'REPLAY_OLD';
    if (this.accepted.has(sequence)) return 'REPLAY_SEEN';
    this.accepted.add(sequence);
    if (ahead > 0n) this.highest = sequence;
    return 'accepted';
  }
}

test('judges as a set of all accepted numbers does, for any sequence of numbers', () => {
  const near = fc.bigInt({ min: 1n, max: 300n });
  const far = fc.constantFrom(
    1n << 32n,
    (1n << 32n) + 1n,
    (1n << 33n) + 5n,
    MAX_U64,
    MAX_U64 - 64n,
    MAX_U64 - 65n,
  );
  const step = fc.record({ sequence: fc.oneof({ weight: 9, arbitrary: near }, far), join: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const model = new Model();
      let window = EMPTY_WINDOW;
      for (const { sequence, join } of steps) {
        const result = advance(window, sequence, join, 0n);
        expect([sequence, result.ok ? 'accepted' : result.code]).toEqual([
          sequence,
          model.take(sequence, join),
        ]);
        if (result.ok) window = result.value;
      }
      expect(window.highest).toBe(model.highest);
      expect(window.seen < 1n << BigInt(REPLAY_WINDOW + 1)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test('delivery that reorders within the window and repeats everything loses nothing and doubles nothing', () => {
  const shuffled = fc
    .array(fc.integer({ min: 0, max: REPLAY_WINDOW }), { minLength: 1, maxLength: 200 })
    .map((delays) => {
      const sent = delays.map((delay, at) => ({ sequence: BigInt(at + 1), at: at + delay }));
      return [...sent, ...sent].sort((a, b) => a.at - b.at).map(({ sequence }) => sequence);
    });
  fc.assert(
    fc.property(shuffled, (arrivals) => {
      const times = new Map<bigint, number>();
      let window = EMPTY_WINDOW;
      for (const sequence of arrivals) {
        const result = advance(window, sequence, false, 0n);
        if (!result.ok) continue;
        window = result.value;
        times.set(sequence, (times.get(sequence) ?? 0) + 1);
      }
      expect([...times.values()].every((count) => count === 1)).toBe(true);
      expect(times.size).toBe(arrivals.length / 2);
    }),
  );
});

test('a jump is measured from the higher of both directions (P 5.1)', () => {
  const start = 1n << 61n;
  const low = { highest: 3n, seen: 1n };
  expect(advance(low, start + 5n, false, start)).toMatchObject({ ok: true, value: { highest: start + 5n } });
  expect(advance(low, start + MAX_SEQUENCE_JUMP + 1n, false, start)).toMatchObject({ code: 'REPLAY_JUMP' });
  expect(advance(low, 4n, false, start)).toMatchObject({ ok: true, value: { highest: 4n } });
  expect(advance(low, start + 5n, false, 0n)).toMatchObject({ code: 'REPLAY_JUMP' });
});
