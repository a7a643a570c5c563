import { encodeText } from '../wire/text.ts';

/**
 * A short name for what a token stood for, which tells a repeat from a conflict. It proves nothing and need not: the
 * message that it is taken from was signed, and neither a repeat nor a conflict has an effect.
 */
export function fingerprint(...parts: readonly (string | Uint8Array)[]): string {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (const part of parts) {
    const bytes = typeof part === 'string' ? encodeText(part) : part;
    // The length first: ('ab', 'c') is not ('a', 'bc').
    high = Math.imul(high ^ bytes.length, 0x9e3779b1);
    for (const byte of bytes) {
      high = Math.imul(high ^ byte, 0x85ebca77);
      low = Math.imul(low ^ byte, 0xc2b2ae3d);
      high ^= low >>> 13;
    }
  }
  return hex(high) + hex(low ^ (high >>> 16));
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
