import { fromHex, toHex } from '../wire/encoding.ts';
import { checkNonce, misread, NONCE_BYTES, type Reading } from './nonce.ts';

const DIGITS = NONCE_BYTES * 2;
/** What people type between groups. */
const SEPARATORS = /[\s:.-]/g;

/**
 * Eight groups of four lower-case hex digits (P 12.4). RangeError for a nonce of another length.
 *
 * @example
 * toHexGroups(nonce); // '636d d7ad 8c00 4d09 b2c3 91d0 cc3a a2b0'
 */
export function toHexGroups(nonce: Uint8Array): string {
  checkNonce(nonce);
  return (toHex(nonce).match(/.{4}/g) as string[]).join(' ');
}

/** Reads hex digits in either case, with spaces, colons, dots and hyphens anywhere. `at` counts digits. */
export function fromHexGroups(text: string): Reading {
  const digits = text.replace(SEPARATORS, '').toLowerCase();
  const foreign = digits.search(/[^0-9a-f]/);
  if (foreign !== -1) return misread('character', foreign);
  if (digits.length !== DIGITS) return misread('length');
  return { ok: true, nonce: fromHex(digits) as Uint8Array };
}

/** The text in a QR, Data Matrix, Code 128, 93 or 39 code, or an NFC tag (P 12.5, 12.6): 32 upper-case hex digits. */
export function toMachineCode(nonce: Uint8Array): string {
  checkNonce(nonce);
  return toHex(nonce).toUpperCase();
}

/** Reads exactly what `toMachineCode` writes. It ignores the white space that scanners add at the ends. */
export function fromMachineCode(text: string): Reading {
  const code = text.trim();
  const foreign = code.search(/[^0-9A-F]/);
  if (foreign !== -1) return misread('character', foreign);
  if (code.length !== DIGITS) return misread('length');
  return { ok: true, nonce: fromHex(code.toLowerCase()) as Uint8Array };
}
