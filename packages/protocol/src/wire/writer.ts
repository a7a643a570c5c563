import { MAX_U64, MAX_VAR_BYTES } from '../limits.ts';
import { allocate, copy } from './block.ts';
import { encodeText } from './text.ts';

/** Enough for most messages. */
const CAPACITY = 512;

/** The buffer that no writer uses now. A new buffer would cost more than all that is written into it. */
let spare: Uint8Array | undefined;

/**
 * Writes forward into a growing buffer. RangeError for a value that its field can't carry: that is a mistake of the
 * program.
 */
export class Writer {
  private buffer: Uint8Array;
  private used = 0;

  constructor(capacity = CAPACITY) {
    // Taken, not shared: a value whose getter encodes another message must not write into this one.
    const taken = spare !== undefined && spare.length >= capacity ? spare : new Uint8Array(capacity);
    spare = undefined;
    this.buffer = taken;
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
    if ((value & 0xff) !== value) throw notWhole(value, 0xff);
    const at = this.grow(1);
    this.buffer[at] = value;
  }

  u16be(value: number): void {
    if ((value & 0xffff) !== value) throw notWhole(value, 0xffff);
    const at = this.grow(2);
    this.buffer[at] = value >>> 8;
    this.buffer[at + 1] = value & 0xff;
  }

  u32le(value: number): void {
    if (value >>> 0 !== value) throw notWhole(value, 0xffff_ffff);
    const at = this.grow(4);
    for (let i = 0; i < 4; i++) this.buffer[at + i] = (value >>> (8 * i)) & 0xff;
  }

  u64le(value: bigint): void {
    if (value < 0n || value > MAX_U64) throw new RangeError(`${value} is not an unsigned 64-bit number`);
    U64.setBigUint64(0, value, true);
    const at = this.grow(8);
    for (let i = 0; i < 8; i++) this.buffer[at + i] = U64_BYTES[i] as number;
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

  /** A `var` of UTF-8 text without NUL; `terminated`: with the one NUL at its end that pySRUP appends (P 2.5). */
  text(text: string, terminated = false): void {
    const start = this.used;
    const isPlain = this.plainText(text, terminated);
    if (isPlain) return;
    this.used = start;
    if (text.includes('\0')) throw new RangeError('a text field carries no NUL');
    this.var(encodeText(terminated ? `${text}\0` : text));
  }

  /** Nearly every text is ASCII: its length is known before its bytes are. False, and nothing of use, for any other. */
  private plainText(text: string, terminated: boolean): boolean {
    const width = text.length + (terminated ? 1 : 0);
    if (width > MAX_VAR_BYTES) return false;
    this.u16be(width);
    const at = this.grow(width);
    const { buffer } = this;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code === 0 || code >= 0x80) return false;
      buffer[at + i] = code;
    }
    if (terminated) buffer[at + text.length] = 0;
    return true;
  }

  /** Gives what was written. The writer begins anew. */
  finish(): Uint8Array {
    const bytes = allocate(this.used);
    copy(this.buffer, 0, this.used, bytes, 0);
    if (this.buffer.length <= LARGEST_SPARE) spare = this.buffer;
    this.buffer = NOTHING;
    this.used = 0;
    return bytes;
  }
}

/** One long message must not keep its memory for ever. */
const LARGEST_SPARE = 8192;
const NOTHING = new Uint8Array(0);

const U64_BYTES = new Uint8Array(8);
const U64 = new DataView(U64_BYTES.buffer);

function notWhole(value: number, largest: number): RangeError {
  return new RangeError(`${value} is not a whole number from 0 to ${largest}`);
}
