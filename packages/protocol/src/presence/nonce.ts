import { toHex } from '../wire/encoding.ts';

/** Bytes of a join's nonce (P 9.4). */
export const NONCE_BYTES = 16;

/**
 * Why a text or picture that somebody typed or scanned is not a nonce. `length`: too few or too many characters, words
 * or cells. `character`: not a hex digit. `word`: not in the list. `checksum`: one of the words is a wrong one.
 * `cell`: a colour or corner that no pictogram has.
 */
export type MisreadReason = 'length' | 'character' | 'word' | 'checksum' | 'cell';

/** The result of reading a nonce back. `at` counts characters, words or cells from 0. */
export type Reading =
  | { readonly ok: true; readonly nonce: Uint8Array }
  | { readonly ok: false; readonly reason: MisreadReason; readonly at?: number };

/** A reading that failed. */
export function misread(reason: MisreadReason, at?: number): Reading {
  return at === undefined ? { ok: false, reason } : { ok: false, reason, at };
}

/** The 128 bits as a text of 0 and 1, most significant bit first. RangeError for any other length. */
export function nonceBits(nonce: Uint8Array): string {
  checkNonce(nonce);
  return BigInt(`0x${toHex(nonce)}`)
    .toString(2)
    .padStart(NONCE_BYTES * 8, '0'); // the reference forgets the zeros in front (P 12.2)
}

/** The bytes of 128 bits. */
export function nonceOfBits(bits: string): Uint8Array {
  return Uint8Array.from({ length: NONCE_BYTES }, (_, at) => parseInt(bits.slice(at * 8, at * 8 + 8), 2));
}

/**
 * RangeError for another length. That is a mistake of the program: a nonce comes from our own random source or an
 * opened seal.
 */
export function checkNonce(nonce: Uint8Array): void {
  if (nonce.length !== NONCE_BYTES)
    throw new RangeError(`a nonce has ${NONCE_BYTES} bytes, not ${nonce.length}`);
}
