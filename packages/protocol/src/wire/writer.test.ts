import { describe, expect, test } from 'vitest';
import { MAX_U64, MAX_VAR_BYTES } from '../limits.ts';
import { toHex } from './encoding.ts';
import { Writer } from './writer.ts';

function written(write: (writer: Writer) => void): string {
  const writer = new Writer(1);
  write(writer);
  return toHex(writer.finish());
}

test('lengths are big-endian, numbers little-endian (P 2.1)', () => {
  expect(
    written((to) => {
      to.u8(0xab);
    }),
  ).toBe('ab');
  expect(
    written((to) => {
      to.u16be(0x0102);
    }),
  ).toBe('0102');
  expect(
    written((to) => {
      to.u32le(0xfffefdfc);
    }),
  ).toBe('fcfdfeff');
  expect(
    written((to) => {
      to.u64le(0x0102030405060708n);
    }),
  ).toBe('0807060504030201');
  expect(
    written((to) => {
      to.var(Uint8Array.of(1, 2));
    }),
  ).toBe('00020102');
});

test('grows without losing what was written', () => {
  const writer = new Writer(4);
  for (let value = 0; value < 1000; value++) writer.u16be(value);
  expect(writer.length).toBe(2000);
  const bytes = writer.finish();
  expect(bytes).toHaveLength(2000);
  for (let value = 0; value < 1000; value++)
    expect((bytes[2 * value]! << 8) | bytes[2 * value + 1]!).toBe(value);
});

test('what was finished does not change when more is written', () => {
  for (const capacity of [2, 3]) {
    const writer = new Writer(capacity);
    writer.u16be(0x0102);
    const first = writer.finish();
    writer.u8(0xff);
    expect(toHex(writer.finish())).toBe('ff');
    expect(toHex(first)).toBe('0102');
  }
});

test('two writers at once write into bytes of their own', () => {
  new Writer().finish(); // leaves its buffer to the next one
  const one = new Writer();
  one.u8(1);
  const other = new Writer();
  other.u8(2);
  one.u8(3);
  expect([one, other].map((writer) => toHex(writer.finish()))).toEqual(['0103', '02']);
});

test('many results beside each other, small and large, keep their bytes', () => {
  const results = Array.from({ length: 300 }, (_, n) => {
    const writer = new Writer();
    writer.raw(new Uint8Array(n * 5).fill(n));
    return writer.finish();
  });
  for (const [n, bytes] of results.entries()) expect(bytes).toEqual(new Uint8Array(n * 5).fill(n));
});

describe('texts', () => {
  test.each([
    ['ab', false, '00026162'],
    ['ab', true, '0003616200'],
    ['', false, '0000'],
    ['', true, '000100'],
    ['aé', false, '000361c3a9'],
    ['aé', true, '000461c3a900'],
  ])('%j, terminated: %s', (text, terminated, hex) => {
    expect(
      written((to) => {
        to.text(text, terminated);
      }),
    ).toBe(hex);
  });

  test('a text that can not be written leaves nothing behind', () => {
    const writer = new Writer();
    writer.u8(1);
    const wrong = ['a\0b', 'é\0', '\ud800', 'a'.repeat(MAX_VAR_BYTES + 1), 'é'.repeat(MAX_VAR_BYTES)];
    for (const text of wrong) {
      expect(() => {
        writer.text(text);
      }).toThrow(RangeError);
    }
    writer.u8(2);
    expect(toHex(writer.finish())).toBe('0102');
  });

  test('the longest text fits, and with its NUL no longer', () => {
    const longest = 'a'.repeat(MAX_VAR_BYTES);
    expect(
      written((to) => {
        to.text(longest);
      }),
    ).toHaveLength(2 * (2 + MAX_VAR_BYTES));
    expect(() =>
      written((to) => {
        to.text(longest, true);
      }),
    ).toThrow(RangeError);
  });
});

test.each([-1, 256, 1.5, NaN, Infinity])('u8 does not clamp %s', (value) => {
  expect(() =>
    written((to) => {
      to.u8(value);
    }),
  ).toThrow(RangeError);
});

test('no number is clamped, no field is cut', () => {
  const wrong: ((to: Writer) => void)[] = [
    (to) => {
      to.u16be(0x1_0000);
    },
    (to) => {
      to.u32le(2 ** 32);
    },
    (to) => {
      to.u32le(-1);
    },
    (to) => {
      to.u64le(MAX_U64 + 1n);
    },
    (to) => {
      to.u64le(-1n);
    },
    (to) => {
      to.var(new Uint8Array(MAX_VAR_BYTES + 1));
    },
  ];
  for (const write of wrong) expect(() => written(write)).toThrow(RangeError);
  expect(
    written((to) => {
      to.var(new Uint8Array(MAX_VAR_BYTES));
    }),
  ).toHaveLength(2 * (2 + MAX_VAR_BYTES));
});
