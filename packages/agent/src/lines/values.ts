import { encodeText, readText } from '@srup/protocol';
import type { DataType } from '../config.ts';

/** A value as a program writes it. */
export type Value = string | number | boolean;

/** A value as a program reads it, in one of three forms. 64-bit integers are decimal text. */
export type Shown = { readonly text: string } | { readonly number: number } | { readonly base64: string };

type NumberType = Exclude<DataType, 'text' | 'bytes'>;

interface NumberCodec {
  readonly bytes: number;
  /** The values that fit; undefined: all. */
  readonly range?: readonly [least: bigint, most: bigint];
  write(view: DataView, value: number | bigint): void;
  read(view: DataView): number | bigint;
}

function integer(bits: 8 | 16 | 32 | 64, isSigned: boolean): NumberCodec {
  const all = 1n << BigInt(bits);
  const fit = (value: bigint) => (isSigned ? BigInt.asIntN(bits, value) : value);
  return {
    bytes: bits / 8,
    range: isSigned ? [-all / 2n, all / 2n - 1n] : [0n, all - 1n],
    write: (view, value) => {
      for (let at = 0, rest = BigInt.asUintN(bits, BigInt(value)); at < bits / 8; at++, rest >>= 8n) {
        view.setUint8(at, Number(rest & 0xffn));
      }
    },
    read: (view) => {
      let value = 0n;
      for (let at = bits / 8 - 1; at >= 0; at--) value = (value << 8n) | BigInt(view.getUint8(at));
      return bits === 64 ? fit(value) : Number(fit(value));
    },
  };
}

/** Little-endian, as the reference writes them (P 2.1, 10.6). */
const NUMBERS: Readonly<Record<NumberType, NumberCodec>> = {
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
    write: (view, value) => {
      view.setFloat32(0, Number(value), true);
    },
    read: (view) => view.getFloat32(0, true),
  },
  double: {
    bytes: 8,
    write: (view, value) => {
      view.setFloat64(0, Number(value), true);
    },
    read: (view) => view.getFloat64(0, true),
  },
};

const INTEGER = /^[+-]?\d{1,20}$/;
const NUMBER = /^[+-]?(0|[1-9]\d{0,20})(\.\d{1,20})?([eE][+-]?\d{1,3})?$/;
const LONE_SURROGATE = /\p{Surrogate}/u;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
// Eslint would have it otherwise: control characters are the point.
// eslint-disable-next-line no-control-regex
const CONTROL = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;

/**
 * The bytes of a value (P 10.6). An undeclared id: a number is a double, all else text. Undefined when the value is
 * none of its declared type.
 */
export function encodeValue(type: DataType | undefined, value: Value): Uint8Array | undefined {
  switch (type) {
    case undefined:
      return typeof value === 'number' ? encodeNumber('double', value) : encodeString(String(value));
    case 'text':
      return encodeString(String(value));
    case 'bytes':
      return typeof value === 'string' && BASE64.test(value) ? Buffer.from(value, 'base64') : undefined;
    default:
      return encodeNumber(type, value);
  }
}

function encodeString(text: string): Uint8Array | undefined {
  return LONE_SURROGATE.test(text) ? undefined : encodeText(text);
}

function encodeNumber(type: NumberType, value: Value): Uint8Array | undefined {
  const codec = NUMBERS[type];
  const exact = codec.range === undefined ? readNumber(value) : readInteger(value);
  if (exact === undefined) return undefined;
  if (codec.range !== undefined && (exact < codec.range[0] || exact > codec.range[1])) return undefined;
  const bytes = new Uint8Array(codec.bytes);
  codec.write(new DataView(bytes.buffer), exact);
  return bytes;
}

/** A number, or the text of one; finite. */
export function readNumber(value: Value): number | undefined {
  if (typeof value === 'string' && !NUMBER.test(value)) return undefined;
  const number = Number(value);
  return typeof value !== 'boolean' && Number.isFinite(number) ? number : undefined;
}

function readInteger(value: Value): bigint | undefined {
  if (typeof value === 'string') return INTEGER.test(value) ? BigInt(value.replace('+', '')) : undefined;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  return Number.isInteger(value) ? BigInt(value) : undefined;
}

/** What bytes say (P 10.6); an undeclared id: text if it reads as such, else 4 bytes int32, 8 bytes double, else raw. */
export function showValue(type: DataType | undefined, bytes: Uint8Array): Shown {
  const raw = { base64: Buffer.from(bytes).toString('base64') };
  if (type === 'bytes') return raw;
  const text = readText(bytes);
  const isText = text !== undefined && (type === 'text' || !CONTROL.test(text));
  if ((type === 'text' || type === undefined) && isText) return { text };
  const guess = bytes.length === 4 ? 'int32' : bytes.length === 8 ? 'double' : undefined;
  const numeric = type === undefined || type === 'text' ? guess : type;
  if (type === 'text' || numeric === undefined || bytes.length !== NUMBERS[numeric].bytes) return raw;
  const number = NUMBERS[numeric].read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  if (typeof number === 'bigint') return { text: number.toString() };
  return Number.isFinite(number) ? { number } : raw;
}
