import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeCommit, replayJournal, type Changes, type Value } from './journal.ts';

const first = encodeCommit(
  0,
  new Map<string, Value>([
    ['join', { phase: 'idle' }],
    ['peer', 'ä\n'],
  ]),
);
const second = encodeCommit(
  1,
  new Map<string, Value | undefined>([
    ['peer', undefined],
    ['open/1', 7],
  ]),
);
const third = encodeCommit(2, new Map<string, Value>([['open/1', 8]]));

function bytes(...parts: Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

test('commits are replayed in order; undefined removes', () => {
  const { values, commits, torn } = replayJournal(bytes(first, second, third));
  expect([...values]).toEqual([
    ['join', { phase: 'idle' }],
    ['open/1', 8],
  ]);
  expect(commits).toBe(3);
  expect(torn).toBe(false);
});

test('an append that was cut at any byte never happened; what came before it did', () => {
  const before = replayJournal(bytes(first, second)).values;
  for (let length = 1; length < third.length; length++) {
    const replayed = replayJournal(bytes(first, second, third.subarray(0, length)));
    expect(replayed.values).toEqual(before);
    expect(replayed.torn).toBe(true);
  }
});

test('an append of which only the end reached the disk (zeros before it) never happened', () => {
  for (let zeros = 1; zeros < third.length; zeros++) {
    const torn = Uint8Array.from(third).fill(0, 0, zeros);
    expect(replayJournal(bytes(first, second, torn)).commits).toBe(2);
  }
});

test('any damage before a good line is reported with its line, whatever byte it is in', () => {
  const whole = bytes(first, second, third);
  for (let at = 0; at < first.length + second.length; at++) {
    const damaged = Uint8Array.from(whole);
    damaged[at] = (damaged[at] as number) ^ 0x41;
    const line = at < first.length ? 1 : 2;
    expect(() => replayJournal(damaged), `byte ${at}`).toThrow(`line ${line} is damaged`);
  }
});

test('a commit that is missing in the middle is noticed', () => {
  expect(() => replayJournal(bytes(first, third))).toThrow('line 2');
});

test('a file that never was a journal does not count as an empty one', () => {
  expect(() => replayJournal(Buffer.from('hello'))).toThrow('line 1');
  expect(() => replayJournal(new Uint8Array(64))).toThrow('line 1');
});

test('whatever is committed comes back', () => {
  const key = fc.string();
  const value = fc.jsonValue().filter((json) => json !== null) as fc.Arbitrary<Value>;
  const changes = fc.array(fc.tuple(key, fc.option(value, { nil: undefined })));
  fc.assert(
    fc.property(fc.array(changes, { minLength: 1, maxLength: 5 }), (commits) => {
      const expected = new Map<string, Value>();
      const lines = commits.map((pairs, n) => {
        const commit: Changes = new Map(pairs);
        for (const [name, content] of commit) {
          if (content === undefined) expected.delete(name);
          else expected.set(name, JSON.parse(JSON.stringify(content)) as Value);
        }
        return encodeCommit(n, commit);
      });
      expect(replayJournal(bytes(...lines)).values).toEqual(expected);
    }),
  );
});
