import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromBase64Url, fromHex, toBase64Url, toHex } from './encoding.ts';

const anyBytes = fc.uint8Array({ maxLength: 100 });

test('hex and base64url are those of the platform, and come back', () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
      expect(fromHex(toHex(bytes))).toEqual(bytes);
      expect(toBase64Url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
      expect(fromBase64Url(toBase64Url(bytes))).toEqual(bytes);
    }),
  );
});

test('one value has one text: what is read is what would be written', () => {
  const nearly = fc.string({ unit: fc.constantFrom(...Array.from('AQgwB-_+/=aF09 é')), maxLength: 12 });
  fc.assert(
    fc.property(nearly, (text) => {
      const bytes = fromBase64Url(text);
      if (bytes !== undefined) expect(toBase64Url(bytes)).toBe(text);
      const hex = fromHex(text);
      if (hex !== undefined) expect(toHex(hex)).toBe(text);
    }),
    { numRuns: 2000 },
  );
});

describe('refuses', () => {
  test.each(['a', 'AB', 'zz', '0 ', ' 00', '00\n', '0x00'])('%j as hex', (text) => {
    expect(fromHex(text)).toBeUndefined();
  });

  test.each(['A', 'AAAAA', 'AA==', 'AB', 'AAB', 'AA+A', 'AA/A', 'AA A', 'AAA\n', 'ÄAAA', 'AAA😀'])(
    '%j as base64url',
    (text) => {
      expect(fromBase64Url(text)).toBeUndefined();
    },
  );

  test('nothing of these', () => {
    expect(fromHex('')).toEqual(new Uint8Array(0));
    expect(fromHex('00ff')).toEqual(Uint8Array.of(0, 255));
    expect(fromBase64Url('')).toEqual(new Uint8Array(0));
    expect(fromBase64Url('AQ')).toEqual(Uint8Array.of(1));
    expect(fromBase64Url('-_-_')).toEqual(Uint8Array.of(0xfb, 0xff, 0xbf));
  });
});
