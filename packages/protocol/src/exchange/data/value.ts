/** What the bytes of DATA mean (P 10.6), in one place for both ends. Numbers are little-endian (P 2.1). */
import { encodeText, readText } from '../../wire/text.ts';

type WideKind = 'int64' | 'uint64';
type NarrowKind = 'int8' | 'uint8' | 'int16' | 'uint16' | 'int32' | 'uint32' | 'float' | 'double';
export type NumberKind = NarrowKind | WideKind;
export type DataKind = 'text' | 'raw' | NumberKind;

/** A value that was read. A double can be NaN or infinite, which JSON can't express. */
export type DataValue =
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: NarrowKind; readonly value: number }
  | { readonly kind: WideKind; readonly value: bigint }
  | { readonly kind: 'raw'; readonly value: Uint8Array };

/** A value whose id nothing declares. Only these kinds are guessed. */
export type GuessedValue = Extract<DataValue, { readonly kind: 'text' | 'raw' }> | GuessedNumber;

interface GuessedNumber {
  readonly kind: 'int32' | 'double';
  readonly value: number;
}

/** A value to write. A whole number can be a number or a bigint. */
export type WritableValue =
  | Extract<DataValue, { readonly kind: 'text' | 'raw' }>
  | { readonly kind: NumberKind; readonly value: number | bigint };

interface NumberCodec {
  readonly bytes: number;
  /** The whole numbers that fit; absent if any number does. */
  readonly range?: readonly [least: bigint, most: bigint];
  read(view: DataView): number | bigint;
  write(view: DataView, value: number | bigint): void;
}

function integer(bits: 8 | 16 | 32 | 64, isSigned: boolean): NumberCodec {
  const all = 1n << BigInt(bits);
  const read = (view: DataView): bigint => {
    let value = 0n;
    for (let at = bits / 8 - 1; at >= 0; at--) value = (value << 8n) | BigInt(view.getUint8(at));
    return isSigned ? BigInt.asIntN(bits, value) : value;
  };
  return {
    bytes: bits / 8,
    range: isSigned ? [-all / 2n, all / 2n - 1n] : [0n, all - 1n],
    read: (view) => (bits === 64 ? read(view) : Number(read(view))),
    write: (view, value) => {
      let rest = BigInt.asUintN(bits, BigInt(value));
      for (let at = 0; at < bits / 8; at++, rest >>= 8n) view.setUint8(at, Number(rest & 0xffn));
    },
  };
}

const NUMBERS: Readonly<Record<NumberKind, NumberCodec>> = {
  int8: integer(8, true),
  uint8: integer(8, false),
  int16: integer(16, true),
  uint16: integer(16, false),
  int32: integer(32, true),
  uint32: integer(32, false),
  int64: integer(64, true),
  uint64: integer(64, false),
  float: {
    bytes: 4,
    read: (view) => view.getFloat32(0, true),
    write: (view, value) => {
      view.setFloat32(0, Number(value), true);
    },
  },
  double: {
    bytes: 8,
    read: (view) => view.getFloat64(0, true),
    write: (view, value) => {
      view.setFloat64(0, Number(value), true);
    },
  },
};

/**
 * A control character, C0 or C1, other than tab, line feed and carriage return. Small numbers are full of them. No
 * other class makes a text doubtful. In particular unassigned characters do not: each version of Unicode assigns some,
 * and two ends with two versions would read two values.
 */
const CONTROL = /(?![\t\n\r])\p{Cc}/u;

/**
 * Reads bytes whose id nothing declares (P 10.6). They are text if they are UTF-8 without control characters;
 * otherwise 4 bytes are an int32, 8 bytes are a double, and all others are raw.
 *
 * @example
 * guessDataValue(Uint8Array.of(0x68, 0x69)); // { kind: 'text', value: 'hi' }
 * guessDataValue(Uint8Array.of(5, 0, 0, 0)); // { kind: 'int32', value: 5 }
 */
export function guessDataValue(bytes: Uint8Array): GuessedValue {
  const text = readText(bytes);
  if (text !== undefined && !CONTROL.test(text)) return { kind: 'text', value: text };
  if (bytes.length === NUMBERS.int32.bytes) return readNumber('int32', bytes) as GuessedNumber;
  if (bytes.length === NUMBERS.double.bytes) return readNumber('double', bytes) as GuessedNumber;
  return { kind: 'raw', value: bytes };
}

/**
 * Reads bytes whose kind is declared (P 10.6). Bytes that can't be of that kind are raw: a text that is not UTF-8, a
 * number of another length.
 *
 * @example
 * readDataValue('int8', Uint8Array.of(0x80)); // { kind: 'int8', value: -128 }
 */
export function readDataValue(kind: DataKind, bytes: Uint8Array): DataValue {
  if (kind === 'text') {
    const text = readText(bytes);
    if (text !== undefined) return { kind, value: text };
  } else if (kind !== 'raw' && bytes.length === NUMBERS[kind].bytes) {
    return readNumber(kind, bytes);
  }
  return { kind: 'raw', value: bytes };
}

function readNumber(kind: NumberKind, bytes: Uint8Array): DataValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { kind, value: NUMBERS[kind].read(view) } as DataValue;
}

/**
 * Tells whether a number can be written as this kind. A whole kind takes whole numbers within its range.
 *
 * @example
 * fitsNumber('int8', 128); // false
 */
export function fitsNumber(kind: NumberKind, value: number | bigint): boolean {
  const { range } = NUMBERS[kind];
  if (range === undefined) return true;
  return (typeof value === 'bigint' || Number.isInteger(value)) && value >= range[0] && value <= range[1];
}

/**
 * Writes a value. RangeError for a number that does not fit its kind, and for a text with a lone surrogate.
 *
 * @example
 * writeDataValue({ kind: 'int32', value: -2 }); // fe ff ff ff
 */
export function writeDataValue(given: WritableValue): Uint8Array {
  switch (given.kind) {
    case 'text':
      return encodeText(given.value);
    case 'raw':
      return given.value;
    default: {
      const { kind, value } = given;
      if (!fitsNumber(kind, value)) throw new RangeError(`${value} does not fit ${kind}`);
      const bytes = new Uint8Array(NUMBERS[kind].bytes);
      NUMBERS[kind].write(new DataView(bytes.buffer), value);
      return bytes;
    }
  }
}
