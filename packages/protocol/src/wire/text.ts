import { WireFault } from './fault.ts';

/**
 * Reads UTF-8 without globals of any platform, so that the package runs anywhere. It is strict: no overlong form, no
 * surrogate, nothing above U+10FFFF; otherwise WireFault WIRE_TEXT (P 2.5).
 */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  return decodePlain(bytes, start, end) ?? decodeUtf8(bytes, start, end);
}

/** Reads a text field, in which a NUL is also wrong: WireFault WIRE_NUL (P 2.5). */
export function decodeTextField(bytes: Uint8Array, start: number, end: number): string {
  const plain = decodePlain(bytes, start, end);
  if (plain !== undefined) return plain;
  // It would end the text early for a reader in C: two readers would see two values.
  const nul = bytes.subarray(start, end).indexOf(0);
  if (nul >= 0) throw new WireFault('WIRE_NUL', start + nul);
  return decodeUtf8(bytes, start, end);
}

/**
 * Nearly every text is ASCII without NUL; undefined for any other text. Eight bytes for each call need no list of
 * codes.
 */
function decodePlain(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = '';
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const a = bytes[at] as number;
    const b = bytes[at + 1] as number;
    const c = bytes[at + 2] as number;
    const d = bytes[at + 3] as number;
    const e = bytes[at + 4] as number;
    const f = bytes[at + 5] as number;
    const g = bytes[at + 6] as number;
    const h = bytes[at + 7] as number;
    const some = a | b | c | d | e | f | g | h;
    if (some >= 0x80 || !(a && b && c && d && e && f && g && h)) return undefined;
    text += String.fromCharCode(a, b, c, d, e, f, g, h);
  }
  for (; at < end; at++) {
    const code = bytes[at] as number;
    if (code === 0 || code >= 0x80) return undefined;
    text += String.fromCharCode(code);
  }
  return text;
}

/** `String.fromCharCode` takes its arguments from the stack: keep a call small. */
const CHUNK = 1024;

function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  const units = new Array<number>(Math.min(CHUNK, end - start));
  let used = 0;
  let text = '';
  for (let at = start; at < end;) {
    const point = readPoint(bytes, at, end);
    if (point < 0x1_0000) {
      units[used++] = point;
    } else {
      units[used++] = 0xd7c0 + (point >> 10);
      units[used++] = 0xdc00 | (point & 0x3ff);
    }
    // Overlong forms are refused, so the point tells how many bytes it took.
    at += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
    if (used > CHUNK - 2) {
      text += fromUnits(units, used);
      used = 0;
    }
  }
  return text + fromUnits(units, used);
}

function fromUnits(units: number[], used: number): string {
  units.length = used;
  return String.fromCharCode.apply(null, units);
}

/** Overlong forms and surrogates would give one text two encodings. */
function readPoint(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return first;
  if (first < 0xc2 || first > 0xf4) throw new WireFault('WIRE_TEXT', at);
  if (first < 0xe0) return ((first & 0x1f) << 6) | readRest(bytes, at + 1, end);
  let point = ((first & 0x0f) << 12) | (readRest(bytes, at + 1, end) << 6) | readRest(bytes, at + 2, end);
  if (first < 0xf0) {
    if (point < 0x800 || isSurrogate(point)) throw new WireFault('WIRE_TEXT', at);
    return point;
  }
  point = ((point & 0x7fff) << 6) | readRest(bytes, at + 3, end);
  if (point < 0x1_0000 || point > 0x10_ffff) throw new WireFault('WIRE_TEXT', at);
  return point;
}

/** Six bits of a byte that goes on with a character. */
function readRest(bytes: Uint8Array, at: number, end: number): number {
  const byte = at < end ? (bytes[at] as number) : 0;
  if ((byte & 0xc0) !== 0x80) throw new WireFault('WIRE_TEXT', at);
  return byte & 0x3f;
}

/**
 * The UTF-8 bytes of a text. RangeError for a text with a lone surrogate: it has none.
 *
 * @example
 * encodeText('é'); // Uint8Array [0xc3, 0xa9]
 */
export function encodeText(text: string): Uint8Array {
  return encodeAscii(text) ?? encodeUtf8(text);
}

function encodeAscii(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0x80) return undefined;
    bytes[at] = code;
  }
  return bytes;
}

function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x80) {
      bytes[length++] = code;
    } else if (code < 0x800) {
      bytes[length++] = 0xc0 | (code >> 6);
      bytes[length++] = 0x80 | (code & 0x3f);
    } else if (isSurrogate(code)) {
      const point = text.codePointAt(at) as number;
      if (isSurrogate(point)) throw new RangeError('the text has a lone surrogate');
      bytes[length++] = 0xf0 | (point >> 18);
      bytes[length++] = 0x80 | ((point >> 12) & 0x3f);
      bytes[length++] = 0x80 | ((point >> 6) & 0x3f);
      bytes[length++] = 0x80 | (point & 0x3f);
      at++; // the second half of the pair
    } else {
      bytes[length++] = 0xe0 | (code >> 12);
      bytes[length++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[length++] = 0x80 | (code & 0x3f);
    }
  }
  return bytes.slice(0, length);
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}

/** The text of UTF-8 bytes; undefined if they are not UTF-8. */
export function readText(bytes: Uint8Array): string | undefined {
  try {
    return decodeText(bytes, 0, bytes.length);
  } catch (fault) {
    if (fault instanceof WireFault) return undefined;
    throw fault;
  }
}
