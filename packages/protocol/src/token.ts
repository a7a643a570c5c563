import { encodeText, readText } from './wire/text.ts';
import { fromHex, toHex } from './wire/encoding.ts';

/** A UUIDv7 as text (P 6.1): 48 bits of time, then 74 random bits. */
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/**
 * Makes a new token, a UUIDv7 as text (P 6.1). `now`: milliseconds since 1970, 0 to 2^48-1. `random`: 10 random bytes.
 * RangeError for other arguments.
 *
 * @example
 * const token = createToken(clock.now(), random.bytes(10));
 */
export function createToken(now: number, random: Uint8Array): Uint8Array {
  if (random.length !== 10) throw new RangeError('a token takes 10 random bytes');
  if (!Number.isInteger(now) || now < 0 || now >= 2 ** 48)
    throw new RangeError(`${now} is no time for a token`);
  const tail = Uint8Array.from(random);
  tail[0] = 0x70 | ((tail[0] as number) & 0x0f); // version 7
  tail[2] = 0x80 | ((tail[2] as number) & 0x3f); // variant
  const hex = now.toString(16).padStart(12, '0') + toHex(tail);
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)];
  return encodeText(parts.join('-'));
}

/**
 * The time when a UUIDv7 token was made, in milliseconds since 1970; undefined for every other token.
 *
 * @example
 * tokenTime(createToken(1_790_000_000_123, random)); // 1790000000123
 */
export function tokenTime(token: Uint8Array): number | undefined {
  const text = readText(token);
  if (text === undefined || !UUID_V7.test(text)) return undefined;
  return parseInt(text.slice(0, 8) + text.slice(9, 13), 16);
}

/**
 * A token as text for maps, tables and logs: the token itself if it is printable ASCII, otherwise `0x` and hex. Two
 * tokens never have one key.
 */
export type TokenKey = string;

const PRINTABLE = /^(?!0x)[\x21-\x7e]+$/;

/**
 * The key of a token.
 *
 * @example
 * tokenKey(Uint8Array.of(0x41, 0x42)); // 'AB'
 * tokenKey(Uint8Array.of(0, 255)); // '0x00ff'
 */
export function tokenKey(token: Uint8Array): TokenKey {
  const text = readText(token);
  return text !== undefined && PRINTABLE.test(text) ? text : `0x${toHex(token)}`;
}

/** The token of a key that `tokenKey` made. RangeError for any other text. */
export function tokenOfKey(key: TokenKey): Uint8Array {
  const bytes = key.startsWith('0x') ? fromHex(key.slice(2)) : encodeText(key);
  if (bytes === undefined || bytes.length === 0) throw new RangeError(`"${key}" is not a token key`);
  return bytes;
}
