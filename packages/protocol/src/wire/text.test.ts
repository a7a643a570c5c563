import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WireFault } from './fault.ts';
import { decodeText, decodeTextField, encodeText, readText } from './text.ts';

const platform = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function platformText(bytes: Uint8Array): string | undefined {
  try {
    return platform.decode(bytes);
  } catch {
    return undefined;
  }
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (fault) {
    if (fault instanceof WireFault) return `${fault.code} at ${fault.offset}`;
    throw fault;
  }
  return 'accepted';
}

const samples = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => new TextEncoder().encode(text)),
  fc.string({ unit: 'grapheme-ascii', maxLength: 40 }).map((text) => new TextEncoder().encode(text)),
  // Bytes at the edges of UTF-8's rules.
  fc
    .array(
      fc.constantFrom(
        0x00,
        0x7f,
        0x80,
        0xbf,
        0xc0,
        0xc1,
        0xc2,
        0xdf,
        0xe0,
        0xed,
        0xef,
        0xf0,
        0xf4,
        0xf5,
        0xff,
        0x9f,
        0xa0,
        0x8f,
        0x90,
      ),
      { maxLength: 6 },
    )
    .map((list) => Uint8Array.from(list)),
);

test('reads what a fatal TextDecoder reads, and refuses what it refuses (P 2.5)', () => {
  fc.assert(
    fc.property(samples, (bytes) => {
      expect(readText(bytes)).toBe(platformText(bytes));
    }),
    { numRuns: 3000 },
  );
});

test('writes what a TextEncoder writes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(encodeText(text)).toEqual(new TextEncoder().encode(text));
    }),
  );
});

test('a lone surrogate has no bytes', () => {
  for (const text of ['\ud800', 'a\udfff', '\udc00\ud800'])
    expect(() => encodeText(text)).toThrow(RangeError);
});

test.each([
  ['an overlong slash', [0xc0, 0xaf], 0],
  ['an overlong slash of three bytes', [0xe0, 0x80, 0xaf], 0],
  ['an overlong NUL', [0x61, 0xc0, 0x80], 1],
  ['a surrogate', [0xed, 0xa0, 0x80], 0],
  ['a point above U+10FFFF', [0xf4, 0x90, 0x80, 0x80], 0],
  ['a byte that nothing precedes', [0x61, 0x80], 1],
  ['a character cut short', [0x61, 0xe2, 0x9c], 3],
  ['a character interrupted', [0xe2, 0x61, 0x93], 1],
])('refuses %s', (_what, list, offset) => {
  const bytes = Uint8Array.from(list);
  expect(codeOf(() => decodeText(bytes, 0, bytes.length))).toBe(`WIRE_TEXT at ${offset}`);
});

test('reads only its part of the bytes', () => {
  const bytes = encodeText('before|inside ✓|after');
  const end = bytes.length - '|after'.length;
  expect(decodeText(bytes, 'before|'.length, end)).toBe('inside ✓');
});

test('long texts of every kind come back whole', () => {
  for (const unit of ['a', 'é', '✓', '😀', 'a😀é']) {
    for (const length of [7, 8, 9, 1023, 1024, 1025, 16_000]) {
      const text = unit.repeat(length);
      expect(readText(encodeText(text))).toBe(text);
    }
  }
});

describe('a field', () => {
  const read = (text: string) => {
    const bytes = new TextEncoder().encode(text);
    return () => decodeTextField(bytes, 0, bytes.length);
  };

  test.each(['', 'plain', 'a text of more than eight bytes', 'ümläut', 'x\u0001'])('carries %j', (text) => {
    expect(read(text)()).toBe(text);
  });

  test.each([
    ['\0', 0],
    ['a\0', 1],
    ['a\0b', 1],
    ['exactly8\0', 8],
    ['in the first eight\0', 18],
    ['ü\0', 2],
    ['\0✓', 0],
  ])('refuses the NUL in %j (P 2.5)', (text, offset) => {
    expect(codeOf(read(text))).toBe(`WIRE_NUL at ${offset}`);
  });
});
