import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytes } from '../test/arbitrary.ts';
import { createToken, tokenKey, tokenOfKey, tokenTime } from './token.ts';
import { encodeText, readText } from './wire/text.ts';

const times = fc.integer({ min: 0, max: 2 ** 48 - 1 });

test('a new token is a UUIDv7 as text that carries its time (P 6.1)', () => {
  fc.assert(
    fc.property(times, bytes(10, 10), (now, random) => {
      const token = createToken(now, random);
      expect(token).toHaveLength(36);
      expect(readText(token)).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      );
      expect(tokenTime(token)).toBe(now);
    }),
  );
});

test('its text sorts by time', () => {
  const text = (now: number) => readText(createToken(now, new Uint8Array(10).fill(255 - (now & 255))))!;
  const sorted = [0, 1, 255, 256, 2 ** 32, 2 ** 48 - 1].map(text);
  expect([...sorted].sort()).toEqual(sorted);
});

test('the random bits are in it, the given bytes are not changed', () => {
  const random = new Uint8Array(10);
  expect(readText(createToken(0, random))).toBe('00000000-0000-7000-8000-000000000000');
  expect(readText(createToken(0, new Uint8Array(10).fill(255)))).toBe('00000000-0000-7fff-bfff-ffffffffffff');
  expect(random.every((byte) => byte === 0)).toBe(true);
});

test.each([
  [-1, 10],
  [2 ** 48, 10],
  [0.5, 10],
  [NaN, 10],
  [0, 9],
  [0, 11],
])('no token of time %d and %i random bytes', (now, count) => {
  expect(() => createToken(now, new Uint8Array(count))).toThrow(RangeError);
});

test.each([
  '3f2b8c1e-9d47-4a6b-8e05-5c7f1a2d9b60', // version 4
  '01939A4E-7b1c-7d2e-8f3a-4b5c6d7e8f90', // upper case
  '01939a4e-7b1c-7d2e-cf3a-4b5c6d7e8f90', // variant
  '01939a4e-7b1c-7d2e-8f3a-4b5c6d7e8f9', // short
  '01939a4e-7b1c-7d2e-8f3a-4b5c6d7e8f900', // long
  '01939a4e-7b1c-7d2e-8f3a-4b5c6d7e8f90\n',
  'T',
])('%j carries no time', (token) => {
  expect(tokenTime(encodeText(token))).toBeUndefined();
});

test('bytes that are no text carry no time', () => {
  expect(tokenTime(Uint8Array.of(0xff, 0x00))).toBeUndefined();
});

describe('the key of a token', () => {
  test('is one to one with the token', () => {
    const hexLooking = fc.stringMatching(/^0x[0-9a-f]{0,8}$/).map(encodeText);
    const any = fc.oneof(
      bytes(40, 1),
      hexLooking,
      fc.string({ minLength: 1, unit: 'binary' }).map(encodeText),
    );
    fc.assert(
      fc.property(any, (token) => {
        const key = tokenKey(token);
        expect(tokenOfKey(key)).toEqual(Uint8Array.from(token));
        expect(key).toMatch(/^[\x21-\x7e]+$/); // fit for logs, tables, file names in hex
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['3f2b8c1e-9d47-4a6b-8e05-5c7f1a2d9b60', '3f2b8c1e-9d47-4a6b-8e05-5c7f1a2d9b60'],
    ['0x41', '0x30783431'],
    ['with space', '0x77697468207370616365'],
    ['ü', '0xc3bc'],
    ['a\nb', '0x610a62'],
  ])('of %j is %s', (token, key) => {
    expect(tokenKey(encodeText(token))).toBe(key);
  });

  test.each(['', '0x', '0x4', '0xZZ', '0xAB'])('%j is the key of none', (key) => {
    expect(() => tokenOfKey(key)).toThrow(RangeError);
  });
});
