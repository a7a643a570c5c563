import { MAX_U64 } from './limits.ts';

/** A 64-bit identity (P 2.7). Zero is none. Compared as a number, shown as text. */
export type Identity = bigint;

const TEXT = /^[1-9a-f][0-9a-f]{0,15}$/;

/** Lower-case hex without leading zeros: the form in topics, URLs and files (P 2.7). */
export function identityText(id: Identity): string {
  return id.toString(16);
}

/** The identity that a text names, or undefined: so a wildcard, a slash or a NUL never gets into a topic (P 2.7). */
export function parseIdentity(text: string): Identity | undefined {
  return TEXT.test(text) ? BigInt(`0x${text}`) : undefined;
}

export function isIdentity(id: bigint): boolean {
  return id > 0n && id <= MAX_U64;
}

/**
 * An identity from 8 random bytes (P 2.7: the first hex digit is not 0). Undefined for the one in sixteen
 * that begins with 0: draw again.
 */
export function identityFromRandom(bytes: Uint8Array): Identity | undefined {
  if (bytes.length !== 8) throw new RangeError('an identity takes 8 random bytes');
  let id = 0n;
  for (const byte of bytes) id = (id << 8n) | BigInt(byte);
  return id >> 60n === 0n ? undefined : id;
}
