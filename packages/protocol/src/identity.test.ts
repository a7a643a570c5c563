import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytes } from '../test/arbitrary.ts';
import { identityFromRandom, identityText, isIdentity, parseIdentity } from './identity.ts';
import { MAX_U64 } from './limits.ts';

const identities = fc.bigInt({ min: 1n, max: MAX_U64 });

test('an identity and its text name each other (P 2.7)', () => {
  fc.assert(
    fc.property(identities, (id) => {
      expect(parseIdentity(identityText(id))).toBe(id);
      expect(identityText(id)).toMatch(/^[1-9a-f][0-9a-f]{0,15}$/);
    }),
  );
});

test.each([
  '',
  '0',
  '00',
  '0a1',
  'A1',
  'g',
  '+',
  '#',
  '/',
  'a/b',
  '$SYS',
  'a1\0',
  ' a1',
  'a1\n',
  '0x1',
  '11112222333344445',
])('%j is not an identity, so it never gets into a topic (P 2.7)', (text) => {
  expect(parseIdentity(text)).toBeUndefined();
});

test('zero is never an identity', () => {
  expect([0n, 1n, MAX_U64, MAX_U64 + 1n, -1n].map(isIdentity)).toEqual([false, true, true, false, false]);
});

test('a drawn identity has 64 bits and a first digit that is not 0', () => {
  fc.assert(
    fc.property(bytes(8, 8), (random) => {
      const id = identityFromRandom(random);
      expect(id === undefined).toBe(random[0]! < 0x10);
      if (id !== undefined) expect(identityText(id)).toBe(Buffer.from(random).toString('hex'));
    }),
  );
});

test('a draw takes 8 bytes', () => {
  for (const count of [0, 7, 9]) expect(() => identityFromRandom(new Uint8Array(count))).toThrow(RangeError);
});
