import { WireFault } from './fault.ts';
import { decodeTextField } from './text.ts';

/** Reads forward. Every read checks the end first, and no read clamps (P 2.4). */
export class Cursor {
  readonly bytes: Uint8Array;
  offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.bytes = bytes;
    this.offset = offset;
  }

  /** Moves past `width` bytes and returns the offset of the first one. */
  private step(width: number): number {
    const start = this.offset;
    if (start + width > this.bytes.length) throw new WireFault('WIRE_SHORT', this.bytes.length);
    this.offset = start + width;
    return start;
  }

  u8(): number {
    return this.bytes[this.step(1)] as number;
  }

  /** 2-byte length, big-endian (P 2.1). */
  u16be(): number {
    const at = this.step(2);
    return ((this.bytes[at] as number) << 8) | (this.bytes[at + 1] as number);
  }

  u32le(): number {
    return readU32(this.bytes, this.step(4));
  }

  u64le(): bigint {
    return readU64(this.bytes, this.step(8));
  }

  /** A view of the next `width` bytes, not a copy. */
  take(width: number): Uint8Array {
    const at = this.step(width);
    return this.bytes.subarray(at, at + width);
  }

  /** 2-byte length and that many bytes (P 2.2). */
  var(): Uint8Array {
    return this.take(this.u16be());
  }

  /** A `var` read as UTF-8 text without NUL (P 2.5). */
  text(): string {
    const width = this.u16be();
    const at = this.step(width);
    return decodeTextField(this.bytes, at, at + width);
  }

  /** The same, but one NUL can follow the text, as pySRUP appends it (P 2.5). */
  cstring(): { readonly text: string; readonly terminated: boolean } {
    const width = this.u16be();
    const at = this.step(width);
    const end = at + width;
    const terminated = width > 0 && this.bytes[end - 1] === 0;
    return { text: decodeTextField(this.bytes, at, terminated ? end - 1 : end), terminated };
  }

  end(): void {
    if (this.offset !== this.bytes.length) throw new WireFault('WIRE_TRAILING', this.offset);
  }
}

function readU32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

function readU64(bytes: Uint8Array, at: number): bigint {
  const low = readU32(bytes, at);
  const high = readU32(bytes, at + 4);
  // Almost every number fits a double: one BigInt instead of three.
  return high < 0x20_0000 ? BigInt(high * 0x1_0000_0000 + low) : (BigInt(high) << 32n) | BigInt(low);
}
