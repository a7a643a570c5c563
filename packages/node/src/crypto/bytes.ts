/**
 * The same bytes without Node's methods. A `slice` of a Buffer is a view of it; a `slice` of a Uint8Array is a copy.
 */
export function plainBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}
