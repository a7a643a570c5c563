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
  const text = decodeUtf8(bytes, start, end);
  // It would end the text early for a reader in C: two readers would see two values.
  const nul = bytes.subarray(start, end).indexOf(0);
  if (nul >= 0) throw new WireFault('WIRE_NUL', start + nul);
  return text;
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
  if (width === 3) return point < 0x800 || (point >= 0xd800 && point <= 0xdfff);
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
  for (const character of text) {
    const point = character.codePointAt(0) as number;
    if (point >= 0xd800 && point <= 0xdfff) throw new RangeError('the text has a lone surrogate');
    length = writePoint(bytes, length, point);
  }
  return bytes.slice(0, length);
}

function writePoint(bytes: Uint8Array, at: number, point: number): number {
  if (point < 0x80) {
    bytes[at] = point;
    return at + 1;
  }
  const width = point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
  let rest = point;
  for (let i = width - 1; i > 0; i--) {
    bytes[at + i] = 0x80 | (rest & 0x3f);
    rest >>= 6;
  }
  bytes[at] = ((0xf00 >> width) & 0xff) | rest;
  return at + width;
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
