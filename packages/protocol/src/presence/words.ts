import { misread, NONCE_BYTES, nonceBits, nonceOfBits, type Reading } from './nonce.ts';
import { ENGLISH_WORDS } from './words-english.ts';

/** SHA-256 is passed in: this package has no cryptography of its own. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** 128 bits and 4 check bits make 12 words of 11 bits each (P 12.3). */
const WORDS = 12;
const WORD_BITS = 11;
const NONCE_BITS = NONCE_BYTES * 8;
const CHECK_BITS = WORDS * WORD_BITS - NONCE_BITS;

const INDEXES: ReadonlyMap<string, number> = new Map(ENGLISH_WORDS.map((word, index) => [word, index]));

/**
 * Twelve upper-case words (P 12.3). RangeError for a nonce of another length.
 *
 * @example
 * toWords(nonce, sha256).join(' '); // 'GLOOM HUGE TWIN BLOSSOM AGE ...'
 */
export function toWords(nonce: Uint8Array, sha256: Sha256): string[] {
  const bits = nonceBits(nonce) + checkBits(nonce, sha256);
  return Array.from({ length: WORDS }, (_, at) => {
    const index = parseInt(bits.slice(at * WORD_BITS, (at + 1) * WORD_BITS), 2);
    return (ENGLISH_WORDS[index] as string).toUpperCase();
  });
}

/**
 * Reads twelve words in either case, with spaces, commas and hyphens between them. `at` counts words.
 *
 * @example
 * const reading = fromWords('gloom huge twin blossom age ...', sha256);
 * if (!reading.ok) console.log(reading.reason, reading.at);
 */
export function fromWords(text: string, sha256: Sha256): Reading {
  const words = text
    .toLowerCase()
    .split(/[\s,-]+/)
    .filter((word) => word !== '');
  const unknown = words.findIndex((word) => !INDEXES.has(word));
  if (unknown !== -1) return misread('word', unknown);
  if (words.length !== WORDS) return misread('length');
  const bits = words.map((word) => toBits(INDEXES.get(word) as number, WORD_BITS)).join('');
  const nonce = nonceOfBits(bits.slice(0, NONCE_BITS));
  // The check bits catch fifteen of sixteen words that were heard wrongly.
  if (bits.slice(NONCE_BITS) !== checkBits(nonce, sha256)) return misread('checksum');
  return { ok: true, nonce };
}

function checkBits(nonce: Uint8Array, sha256: Sha256): string {
  return toBits(sha256(nonce)[0] as number, 8).slice(0, CHECK_BITS);
}

function toBits(value: number, width: number): string {
  return value.toString(2).padStart(width, '0');
}
