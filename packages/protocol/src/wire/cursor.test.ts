import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_U64 } from '../limits.ts';
import { Cursor } from './cursor.ts';
import { fromHex } from './encoding.ts';
import { WireFault } from './fault.ts';
import { Writer } from './writer.ts';

const cursor = (hex: string) => new Cursor(fromHex(hex)!);

function faultOf(act: () => unknown): string {
  try {
    act();
  } catch (fault) {
    if (fault instanceof WireFault) return `${fault.code} at ${fault.offset}`;
    throw fault;
  }
  return 'accepted';
}

test('lengths are big-endian, numbers little-endian (P 2.1)', () => {
  expect(cursor('0102').u16be()).toBe(0x0102);
  expect(cursor('04030201').u32le()).toBe(0x01020304);
  expect(cursor('ffffffff').u32le()).toBe(0xffff_ffff);
  expect(cursor('0807060504030201').u64le()).toBe(0x0102030405060708n);
  expect(cursor('ffffffffffffffff').u64le()).toBe(MAX_U64);
});

test('64-bit numbers keep every bit', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: MAX_U64 }), (value) => {
      const writer = new Writer();
      writer.u64le(value);
      const bytes = writer.finish();
      expect(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)).toBe(value);
      expect(new Cursor(bytes).u64le()).toBe(value);
    }),
  );
});

describe('never reads past the end (P 2.4)', () => {
  const reads: [string, number, (cursor: Cursor) => unknown][] = [
    ['u8', 1, (at) => at.u8()],
    ['u16be', 2, (at) => at.u16be()],
    ['u32le', 4, (at) => at.u32le()],
    ['u64le', 8, (at) => at.u64le()],
    ['take', 5, (at) => at.take(5)],
  ];

  test.each(reads)('%s needs %i bytes', (_name, width, read) => {
    for (let length = 0; length < width; length++) {
      expect(faultOf(() => read(new Cursor(new Uint8Array(length))))).toBe(`WIRE_SHORT at ${length}`);
    }
    const whole = new Cursor(new Uint8Array(width));
    read(whole);
    expect(whole.offset).toBe(width);
  });

  test.each([
    ['var', (at: Cursor) => at.var()],
    ['text', (at: Cursor) => at.text()],
    ['cstring', (at: Cursor) => at.cstring()],
  ])('%s whose length promises more', (_name, read) => {
    expect(faultOf(() => read(cursor('0003' + '6162')))).toBe('WIRE_SHORT at 4');
    expect(faultOf(() => read(cursor('ffff' + '6162')))).toBe('WIRE_SHORT at 4');
    expect(faultOf(() => read(cursor('00')))).toBe('WIRE_SHORT at 1');
    expect(faultOf(() => read(cursor('0002' + '6162')))).toBe('accepted');
  });

  test('a view ends where its part ends, though the buffer goes on', () => {
    const whole = fromHex('aabbccdd')!;
    expect(faultOf(() => new Cursor(whole.subarray(0, 2)).u32le())).toBe('WIRE_SHORT at 2');
  });
});

test('the end is checked: no byte is left over (P 2.4)', () => {
  const two = cursor('0102');
  const end = () => {
    two.end();
  };
  two.u8();
  expect(faultOf(end)).toBe('WIRE_TRAILING at 1');
  two.u8();
  expect(faultOf(end)).toBe('accepted');
});

test.each([
  ['0003616200', { text: 'ab', terminated: true }],
  ['00026162', { text: 'ab', terminated: false }],
  ['0000', { text: '', terminated: false }],
  ['000100', { text: '', terminated: true }],
])('one NUL after a cstring is dropped and remembered: %s (P 2.5)', (hex, value) => {
  expect(cursor(hex).cstring()).toEqual(value);
});

test.each(['00020000', '0003006100', '0003610062'])('any other NUL of a cstring is refused: %s', (hex) => {
  expect(faultOf(() => cursor(hex).cstring())).toMatch(/^WIRE_NUL/);
});

test('a text takes no NUL at all', () => {
  expect(faultOf(() => cursor('0003616200').text())).toBe('WIRE_NUL at 4');
});
