import { MAX_U64, MAX_VAR_BYTES } from '../limits.ts';

/**
 * Writes forward into a growing buffer. RangeError for a value that its field can't carry: that is a mistake of the
 * program.
 */
export class Writer {
  private buffer: Uint8Array;
  private used = 0;

  constructor(capacity = 256) {
    this.buffer = new Uint8Array(capacity);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.used;
  }

  private grow(width: number): number {
    const start = this.used;
    const needed = start + width;
    if (needed > this.buffer.length) {
      const larger = new Uint8Array(Math.max(needed, this.buffer.length * 2));
      larger.set(this.buffer);
      this.buffer = larger;
    }
    this.used = needed;
    return start;
  }

  u8(value: number): void {
    checkInteger(value, 0xff);
    const at = this.grow(1);
    this.buffer[at] = value;
  }

  u16be(value: number): void {
    checkInteger(value, 0xffff);
    const at = this.grow(2);
    this.buffer[at] = value >>> 8;
    this.buffer[at + 1] = value & 0xff;
  }

  u32le(value: number): void {
    checkInteger(value, 0xffff_ffff);
    let rest = value;
    for (let at = this.grow(4), end = at + 4; at < end; at++) {
      this.buffer[at] = rest & 0xff;
      rest >>>= 8;
    }
  }

  u64le(value: bigint): void {
    if (value < 0n || value > MAX_U64) throw new RangeError(`${value} is not an unsigned 64-bit number`);
    U64.setBigUint64(0, value, true);
    this.raw(U64_BYTES);
  }

  raw(bytes: Uint8Array): void {
    const at = this.grow(bytes.length);
    this.buffer.set(bytes, at);
  }

  /** 2-byte length and the bytes (P 2.2). */
  var(bytes: Uint8Array): void {
    if (bytes.length > MAX_VAR_BYTES) {
      throw new RangeError(`a field of ${bytes.length} bytes does not fit: ${MAX_VAR_BYTES} is the most`);
    }
    this.u16be(bytes.length);
    this.raw(bytes);
  }

  finish(): Uint8Array {
    return this.used === this.buffer.length ? this.buffer : this.buffer.slice(0, this.used);
  }
}

const U64_BYTES = new Uint8Array(8);
const U64 = new DataView(U64_BYTES.buffer);

function checkInteger(value: number, largest: number): void {
  if (!Number.isInteger(value) || value < 0 || value > largest) {
    throw new RangeError(`${value} is not a whole number from 0 to ${largest}`);
  }
}
