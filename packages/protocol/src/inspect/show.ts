import { toHex } from '../wire/encoding.ts';
import { readText } from '../wire/text.ts';

/** Bytes or characters of one value that a person sees. */
const SHOWN = 64;

const CONTROL = /\p{Cc}/u;
/** Everything that draws nothing or moves what is drawn: control, format, private, line and paragraph characters. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}"\\]/gu;

/** The text of UTF-8 bytes without control characters; undefined for any other bytes. */
export function plainText(bytes: Uint8Array): string | undefined {
  const text = readText(bytes);
  return text === undefined || CONTROL.test(text) ? undefined : text;
}

/**
 * Puts a text in quotes and cuts a long one. It escapes what could steer a terminal or turn the reading direction.
 *
 * @example
 * showText('a\nb'); // '"a\u{a}b"'
 */
export function showText(text: string): string {
  const characters = Array.from(text.slice(0, 2 * SHOWN + 2));
  const shown = characters.slice(0, SHOWN).join('').replace(INVISIBLE, escapeCharacter);
  return characters.length > SHOWN ? `"${shown}" and more` : `"${shown}"`;
}

function escapeCharacter(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`;
  return `\\u{${(character.codePointAt(0) as number).toString(16)}}`;
}

/**
 * Shows bytes as text if they are plain text, otherwise as hex. A long value is cut.
 *
 * @example
 * showBytes(Uint8Array.of(0, 255)); // '00ff'
 */
export function showBytes(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'empty';
  const text = plainText(bytes);
  if (text !== undefined) return showText(text);
  return toHex(bytes.subarray(0, SHOWN)) + (bytes.length > SHOWN ? ' and more' : '');
}

/**
 * A number of bytes, in words.
 *
 * @example
 * showCount(1); // '1 byte'
 */
export function showCount(bytes: number): string {
  return bytes === 1 ? '1 byte' : `${bytes} bytes`;
}
