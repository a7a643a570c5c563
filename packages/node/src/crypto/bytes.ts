/** The same bytes without Node's methods: a `slice` of a Buffer is a view of it, that of a Uint8Array a copy. */
export function plainBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}
