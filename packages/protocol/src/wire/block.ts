/** Bytes of a block that small values share. */
const BLOCK_BYTES = 8192;
/** A larger value gets a buffer of its own, so that a block is not wasted on few. */
const LARGEST_SHARED = BLOCK_BYTES / 8;
/** Up to this many bytes a loop is faster than a view and `set`. */
const LOOP_BYTES = 64;

let block = new Uint8Array(BLOCK_BYTES);
let blockUsed = 0;

/**
 * A place of `width` bytes in a block that many messages share: it costs a tenth of a buffer of its own. Write all of it
 * before it is given to anybody.
 */
export function allocate(width: number): Uint8Array {
  if (width > LARGEST_SHARED) return new Uint8Array(width);
  if (blockUsed + width > BLOCK_BYTES) {
    block = new Uint8Array(BLOCK_BYTES);
    blockUsed = 0;
  }
  const start = blockUsed;
  blockUsed += width;
  return block.subarray(start, blockUsed);
}

/** Copies the bytes from `start` to `end`, without a view of them when they are few. */
export function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  if (end - start > LOOP_BYTES) {
    to.set(from.subarray(start, end), at);
    return;
  }
  for (let i = start; i < end; i++) to[at + i - start] = from[i] as number;
}
