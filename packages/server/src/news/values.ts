import { readText, toHex } from '@srup/protocol';
import type { DataView as DataValue } from '../contract.ts';

/** Control characters, but for tab, line feed and carriage return, and what is no character of Unicode. */
const UNPRINTABLE = /(?![\t\n\r])[\p{Cc}\p{Cn}\p{Co}]/u;

/**
 * What bytes of DATA mean while no schema declares their id (P 10.6): UTF-8 text, else 4 bytes int32, 8 bytes
 * double, else raw as hex. Numbers are little-endian (P 2.1); a double that JSON has no number for is its name.
 */
export function readValue(bytes: Uint8Array): Pick<DataValue, 'value' | 'kind'> {
  const text = readText(bytes);
  if (text !== undefined && !UNPRINTABLE.test(text)) return { kind: 'text', value: text };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 4) return { kind: 'int32', value: view.getInt32(0, true) };
  if (bytes.length === 8) {
    const number = view.getFloat64(0, true);
    return { kind: 'double', value: Number.isFinite(number) ? number : String(number) };
  }
  return { kind: 'raw', value: toHex(bytes) };
}

/** 4 bytes. */
export function writeInt32(number: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, number, true);
  return bytes;
}

/** 8 bytes. */
export function writeDouble(number: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, number, true);
  return bytes;
}
