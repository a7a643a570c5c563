import { fitsNumber, guessDataValue, readDataValue, writeDataValue, type NumberKind } from '@srup/protocol';
import type { DataType } from '../config/data.ts';

/** A value as a program writes it. */
export type Value = string | number | boolean;

/** A value as a program reads it, in one of three forms. 64-bit integers are decimal text. */
export type Shown = { readonly text: string } | { readonly number: number } | { readonly base64: string };

const INTEGER = /^[+-]?\d{1,20}$/;
const NUMBER = /^[+-]?(0|[1-9]\d{0,20})(\.\d{1,20})?([eE][+-]?\d{1,3})?$/;
const LONE_SURROGATE = /\p{Surrogate}/u;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * The bytes of a value (P 10.6). Without a declared type, a number is a double and everything else is text. Undefined
 * when the value does not fit its type.
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
  return LONE_SURROGATE.test(text) ? undefined : writeDataValue({ kind: 'text', value: text });
}

function encodeNumber(kind: NumberKind, value: Value): Uint8Array | undefined {
  const exact = kind === 'float' || kind === 'double' ? readNumber(value) : readInteger(value);
  if (exact === undefined || !fitsNumber(kind, exact)) return undefined;
  return writeDataValue({ kind, value: exact });
}

/** Reads a number, or the text of one. Undefined when it is not finite. */
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

/** What bytes say; without a type the protocol guesses (P 10.6). A number that JSON does not have is shown as bytes. */
export function showValue(type: DataType | undefined, bytes: Uint8Array): Shown {
  const { kind, value } =
    type === undefined ? guessDataValue(bytes) : readDataValue(type === 'bytes' ? 'raw' : type, bytes);
  if (kind === 'text') return { text: value };
  if (typeof value === 'bigint') return { text: value.toString() };
  if (typeof value === 'number' && Number.isFinite(value)) return { number: value };
  return { base64: Buffer.from(bytes).toString('base64') };
}
