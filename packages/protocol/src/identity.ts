import { MAX_U64 } from './limits.ts';

/** A 64-bit identity (P 2.7). Zero is not an identity. Compare identities as numbers; show them as text. */
export type Identity = bigint;

const TEXT = /^[1-9a-f][0-9a-f]{0,15}$/;

/**
 * The text of an identity: lower-case hex without leading zeros, as in topics, URLs and files (P 2.7).
 *
 * @example
 * identityText(0x27ab54d670b64be2n); // '27ab54d670b64be2'
 */
export function identityText(id: Identity): string {
  return id.toString(16);
}

/**
 * The identity that a text names; undefined for any other text. So a wildcard, a slash or a NUL never gets into a
 * topic (P 2.7).
 *
 * @example
 * parseIdentity('27ab54d670b64be2'); // 0x27ab54d670b64be2n
 * parseIdentity('+'); // undefined
 */
export function parseIdentity(text: string): Identity | undefined {
  return TEXT.test(text) ? BigInt(`0x${text}`) : undefined;
}

/** Tells whether a number is an identity: 1 to 2^64-1 (P 2.7). */
export function isIdentity(id: bigint): boolean {
  return id > 0n && id <= MAX_U64;
}

/**
 * Makes an identity from 8 random bytes. Its first hex digit is never 0 (P 2.7), so one draw in sixteen gives
 * undefined: draw again. RangeError for any other number of bytes.
 *
 * @example
 * identityFromRandom(random.bytes(8)); // an identity, or undefined
 */
export function identityFromRandom(bytes: Uint8Array): Identity | undefined {
  if (bytes.length !== 8) throw new RangeError('an identity takes 8 random bytes');
  let id = 0n;
  for (const byte of bytes) id = (id << 8n) | BigInt(byte);
  return id >> 60n === 0n ? undefined : id;
}
