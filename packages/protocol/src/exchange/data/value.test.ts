import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../wire/encoding.ts';
import {
  fitsNumber,
  guessDataValue,
  readDataValue,
  writeDataValue,
  type DataKind,
  type NumberKind,
} from './value.ts';

const bytesOf = (hex: string): Uint8Array => fromHex(hex) as Uint8Array;

describe('a value that nothing declares (P 10.6)', () => {
  test.each<[what: string, hex: string, kind: string, value: unknown]>([
    ['nothing', '', 'text', ''],
    ['a text', '7761726d20c3a4', 'text', 'warm ä'],
    ['a text of 4 bytes', '34325f33', 'text', '42_3'],
    ['a text of 8 bytes', '3132333435363738', 'text', '12345678'],
    ['tab, line feed and carriage return', '09610d0a', 'text', '\ta\r\n'],
    ['private use', 'ee808061', 'text', '\ue000a'],
    ['private use beyond the first plane', 'f4808080', 'text', '\u{100000}'],
    ['an unassigned character', 'cdb86162', 'text', '\u0378ab'],
    ['no character of any version', 'efbfbf61', 'text', '\uffffa'],
    ['a character that turns the reading direction', 'e280ae61', 'text', '\u202ea'],
    ['a C1 control character', 'c2854142', 'int32', 0x4241_85c2],
    ['a C1 control character in 8 bytes', 'c285414243444546', 'double', 3.3698354087643625e30],
    ['a C1 control character in 3 bytes', 'c28541', 'raw', bytesOf('c28541')],
    ['DEL', '7f414243', 'int32', 0x4342_417f],
    ['NUL', '00', 'raw', bytesOf('00')],
    ['a text that ends with NUL', '41424300', 'int32', 0x0043_4241],
    ['escape', '1b5b324a', 'int32', 0x4a32_5b1b],
    ['a small number', '05000000', 'int32', 5],
    ['no UTF-8, 4 bytes', 'feffffff', 'int32', -2],
    ['no UTF-8, 2 bytes', 'ff00', 'raw', bytesOf('ff00')],
    ['an overlong form', 'c1814142', 'int32', 0x4241_81c1],
    ['a surrogate', 'eda08061', 'int32', 0x6180_a0ed],
    ['a double', '0000000000803540', 'double', 21.5],
    ['NaN', '000000000000f87f', 'double', NaN],
    ['infinity', '000000000000f07f', 'double', Infinity],
    ['minus infinity', '000000000000f0ff', 'double', -Infinity],
    ['minus zero', '0000000000000080', 'double', -0],
  ])('%s: %s is %s', (_what, hex, kind, value) => {
    expect(guessDataValue(bytesOf(hex))).toEqual({ kind, value });
  });

  test('is text or raw, or a number by its length, whatever the bytes', () => {
    const lengths: Readonly<Record<string, number>> = { int32: 4, double: 8 };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        const guess = guessDataValue(bytes);
        expect(lengths[guess.kind] ?? bytes.length).toBe(bytes.length);
        // A NaN can hold more bits than one number says.
        if (!Number.isNaN(guess.value)) expect(toHex(writeDataValue(guess))).toBe(toHex(bytes));
      }),
    );
  });

  test('reads a view of a larger buffer', () => {
    const buffer = bytesOf('ffff05000000ffff');
    expect(guessDataValue(buffer.subarray(2, 6))).toEqual({ kind: 'int32', value: 5 });
  });
});

describe('a value whose kind is declared (P 10.6)', () => {
  test.each<[DataKind, string, unknown]>([
    ['text', '00', '\0'],
    ['text', '05000000', '\x05\0\0\0'],
    ['int8', '80', -128],
    ['uint8', 'ff', 255],
    ['int16', 'feff', -2],
    ['uint16', '0102', 513],
    ['int32', '61626364', 0x6463_6261],
    ['uint32', 'ffffffff', 4294967295],
    ['int64', '0000000000000080', -9223372036854775808n],
    ['uint64', 'ffffffffffffffff', 18446744073709551615n],
    ['float', '0000003f', 0.5],
    ['double', '0000000000803540', 21.5],
    ['raw', '61', bytesOf('61')],
  ])('%s: %s', (kind, hex, value) => {
    expect(readDataValue(kind, bytesOf(hex))).toEqual({ kind, value });
  });

  test.each<[DataKind, string]>([
    ['text', 'ff'],
    ['int8', '8000'],
    ['int32', '616263'],
    ['double', '05000000'],
    ['int64', ''],
  ])('%s: %s can not be one, and is raw', (kind, hex) => {
    expect(readDataValue(kind, bytesOf(hex))).toEqual({ kind: 'raw', value: bytesOf(hex) });
  });
});

describe('a number', () => {
  test.each<[NumberKind, number | bigint, boolean]>([
    ['int8', -128, true],
    ['int8', 128, false],
    ['uint8', -1, false],
    ['uint8', 255n, true],
    ['int32', 2 ** 31 - 1, true],
    ['int32', 2 ** 31, false],
    ['int32', 1.5, false],
    ['int32', NaN, false],
    ['int64', -9223372036854775808n, true],
    ['int64', 9223372036854775808n, false],
    ['uint64', Infinity, false],
    ['double', NaN, true],
    ['float', 1e300, true],
  ])('as %s: %s fits: %s', (kind, value, fits) => {
    expect(fitsNumber(kind, value)).toBe(fits);
    const write = () => writeDataValue({ kind, value });
    if (fits) expect(write()).toBeInstanceOf(Uint8Array);
    else expect(write).toThrow(RangeError);
  });

  test.each<[NumberKind, number | bigint, string]>([
    ['int32', -2, 'feffffff'],
    ['double', 21.5, '0000000000803540'],
    ['double', -0, '0000000000000080'],
    ['int64', -2n, 'feffffffffffffff'],
    ['uint16', 513, '0102'],
    ['float', 0.5, '0000003f'],
  ])('as %s: %s is written %s', (kind, value, hex) => {
    expect(toHex(writeDataValue({ kind, value }))).toBe(hex);
  });
});

test('a text is written as UTF-8, raw bytes as they are', () => {
  expect(toHex(writeDataValue({ kind: 'text', value: 'é' }))).toBe('c3a9');
  expect(toHex(writeDataValue({ kind: 'raw', value: bytesOf('00ff') }))).toBe('00ff');
  expect(() => writeDataValue({ kind: 'text', value: '\ud800' })).toThrow(RangeError);
});
