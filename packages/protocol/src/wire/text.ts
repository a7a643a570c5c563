import { WireFault } from './fault.ts';

/**
 * UTF-8 without globals of any platform, so that the package runs anywhere. Strict on reading: no overlong form,
 * no surrogate, nothing above U+10FFFF; otherwise WireFault WIRE_TEXT (P 2.5).
 */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  return decodePlain(bytes, start, end) ?? decodeUtf8(bytes, start, end);
}

/** The same for a field, which holds no NUL: otherwise WireFault WIRE_NUL (P 2.5). */
export function decodeTextField(bytes: Uint8Array, start: number, end: number): string {
  const plain = decodePlain(bytes, start, end);
  if (plain !== undefined) return plain;
  // It would end the text early for a reader in C: two readers would see two values.
  const nul = bytes.subarray(start, end).indexOf(0);
  if (nul >= 0) throw new WireFault('WIRE_NUL', start + nul);
  return decodeUtf8(bytes, start, end);
}

/** Nearly every text is ASCII without NUL: undefined for any other. Eight bytes a call need no list of codes. */
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
    const arePlain =
      isPlain(a) &&
      isPlain(b) &&
      isPlain(c) &&
      isPlain(d) &&
      isPlain(e) &&
      isPlain(f) &&
      isPlain(g) &&
      isPlain(h);
    if (!arePlain) return undefined;
    text += String.fromCharCode(a, b, c, d, e, f, g, h);
  }
  for (; at < end; at++) {
    const code = bytes[at] as number;
    if (!isPlain(code)) return undefined;
    text += String.fromCharCode(code);
  }
  return text;
}

function isPlain(byte: number): boolean {
  return byte > 0 && byte < 0x80;
}

/** `String.fromCharCode` takes its arguments from the stack: keep a call small. */
const CHUNK = 1024;

function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  let codes: number[] = [];
  let at = start;
  while (at < end) {
    const first = bytes[at] as number;
    const width =
      first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (width === 0 || at + width > end) throw new WireFault('WIRE_TEXT', at);
    let point = width === 1 ? first : first & (0x7f >> width);
    for (let i = 1; i < width; i++) {
      const next = bytes[at + i] as number;
      if ((next & 0xc0) !== 0x80) throw new WireFault('WIRE_TEXT', at + i);
      point = (point << 6) | (next & 0x3f);
    }
    if (isForbidden(point, width)) throw new WireFault('WIRE_TEXT', at);
    if (point < 0x1_0000) codes.push(point);
    else codes.push(0xd7c0 + (point >> 10), 0xdc00 | (point & 0x3ff));
    at += width;
    if (codes.length >= CHUNK) {
      text += String.fromCharCode(...codes);
      codes = [];
    }
  }
  return text + String.fromCharCode(...codes);
}

/** Overlong forms and surrogates would give one text two encodings. */
function isForbidden(point: number, width: number): boolean {
  if (width === 3) return point < 0x800 || isSurrogate(point);
  return width === 4 && (point < 0x1_0000 || point > 0x10_ffff);
}

/** The bytes of a text. A lone surrogate has none: RangeError. */
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

/** The text of bytes, or undefined when they are not UTF-8. */
export function readText(bytes: Uint8Array): string | undefined {
  try {
    return decodeText(bytes, 0, bytes.length);
  } catch (fault) {
    if (fault instanceof WireFault) return undefined;
    throw fault;
  }
}
