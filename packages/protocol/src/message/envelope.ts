import { accept, reject, type Result, type WireCode } from '../faults.ts';
import { MAX_MESSAGE_BYTES, MAX_TOKEN_BYTES, MAX_VAR_BYTES } from '../limits.ts';
import { allocate, copy } from '../wire/block.ts';
import { Cursor } from '../wire/cursor.ts';
import { WireFault } from '../wire/fault.ts';
import { Writer } from '../wire/writer.ts';
import { readBody, writeBody } from './body.ts';
import { layoutOf, layoutOfCode, type MessageType } from './layouts.ts';
import { EDITION, type Message, type MessageOf } from './message.ts';

/** Offset of the token's length: version, type, sequence id, sender id come before it (P 2). */
const TOKEN_LENGTH_OFFSET = 18;

export interface DecodeLimits {
  /** Bytes of a whole message; by default the limit of a transport (P 2.4). */
  readonly messageBytes?: number;
  /** Bytes of a token; by default the limit of P 6.1. */
  readonly tokenBytes?: number;
}

/** Not exported as a value: only `decode` makes one, so no code can skip it. */
class DecodedMessage<M extends Message = Message> {
  readonly message: M;
  readonly signature: Uint8Array;
  readonly #bytes: Uint8Array;
  readonly #headEnd: number;
  readonly #bodyStart: number;

  constructor(message: M, signature: Uint8Array, bytes: Uint8Array, headEnd: number, bodyStart: number) {
    this.message = message;
    this.signature = signature;
    this.#bytes = bytes;
    this.#headEnd = headEnd;
    this.#bodyStart = bodyStart;
  }

  /** The whole message as it arrived, for evidence. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Bytes 0..20+T: what a sealed field is bound to (P 4.4). */
  get header(): Uint8Array {
    return this.#bytes.subarray(0, this.#headEnd);
  }

  /** What the signature covers. It is cut from the bytes that arrived, never encoded again (P 2.3). */
  signedBytes(): Uint8Array {
    return joinAround(this.#bytes, this.#headEnd, this.#bodyStart);
  }
}

/** A message whose bytes are in order. Nothing proves its sender. */
export type Decoded<T extends MessageType = MessageType> = DecodedMessage<Extract<Message, MessageOf<T>>>;

/**
 * Reads the bytes of a message of edition 5. For any bytes, the result is a decoded message, or the code and the
 * offset of what is wrong (P 2.4). The values are views of `bytes`, so `bytes` must not change afterwards.
 *
 * @example
 * const decoded = decode(bytes);
 * if (decoded.ok) console.log(decoded.value.message.type);
 * else console.log(decoded.code, decoded.offset);
 */
export function decode(bytes: Uint8Array, limits: DecodeLimits = {}): Result<Decoded, WireCode> {
  try {
    return accept(
      parse(bytes, limits.messageBytes ?? MAX_MESSAGE_BYTES, limits.tokenBytes ?? MAX_TOKEN_BYTES),
    );
  } catch (fault) {
    if (fault instanceof WireFault) return reject(fault.code, fault.offset);
    throw fault;
  }
}

function parse(bytes: Uint8Array, messageBytes: number, tokenBytes: number): Decoded {
  if (bytes.length > messageBytes) throw new WireFault('WIRE_TOO_LONG', messageBytes);
  const cursor = new Cursor(bytes);
  if (cursor.u8() !== EDITION) throw new WireFault('WIRE_EDITION', 0); // P 1.3
  const layout = layoutOfCode(cursor.u8());
  if (layout === undefined) throw new WireFault('WIRE_TYPE', 1);
  const sequence = cursor.u64le();
  const sender = cursor.u64le();
  const token = cursor.var();
  if (token.length === 0) throw new WireFault('WIRE_TOKEN_EMPTY', TOKEN_LENGTH_OFFSET);
  if (token.length > tokenBytes) throw new WireFault('WIRE_TOKEN_LONG', TOKEN_LENGTH_OFFSET);
  const headEnd = cursor.offset;
  // GENERIC is a parse view: header and token only (P 3).
  const signature = layout.type === 'GENERIC' ? NOTHING : cursor.var();
  const bodyStart = cursor.offset;
  const { body, terminated } = readBody(cursor, layout.fields);
  cursor.end();
  const { type } = layout;
  const message =
    terminated === undefined
      ? { type, sequence, sender, token, body }
      : { type, sequence, sender, token, body, terminated };
  return new DecodedMessage(message as Message, signature, bytes, headEnd, bodyStart);
}

const NOTHING = new Uint8Array(0);

/** A message that can be signed and put together. */
export interface Encoded {
  /** Bytes 0..20+T (P 2). */
  readonly header: Uint8Array;
  /** What the signature covers (P 2.3). */
  readonly signedBytes: Uint8Array;
  /** Gives the message with this signature in its place. */
  readonly assemble: (signature: Uint8Array) => Uint8Array;
}

/**
 * Writes a message, except for its signature. RangeError when a value does not fit its field: that is a mistake of the
 * program, not of a peer.
 *
 * @example
 * const encoded = encode(message);
 * const bytes = encoded.assemble(signKey.sign(encoded.signedBytes));
 */
export function encode(message: Message): Encoded {
  if (message.token.length === 0) throw new RangeError('a token has at least one byte'); // P 2.4
  const layout = layoutOf(message.type);
  const writer = new Writer();
  writeHeader(writer, layout.code, message);
  const headEnd = writer.length;
  writeBody(writer, layout.fields, message.body, message.terminated);
  const signedBytes = writer.finish();
  return {
    header: signedBytes.subarray(0, headEnd),
    signedBytes,
    assemble: (signature) =>
      layout.type === 'GENERIC' ? signedBytes : insert(signature, signedBytes, headEnd),
  };
}

/** Writes bytes 0..20+T alone. A field is sealed to them before the body exists (P 4.4). */
export function encodeHeader(message: Header): Uint8Array {
  const writer = new Writer();
  writeHeader(writer, layoutOf(message.type).code, message);
  return writer.finish();
}

type Header = Pick<Message, 'type' | 'sequence' | 'sender' | 'token'>;

function writeHeader(writer: Writer, code: number, { sequence, sender, token }: Header): void {
  writer.u8(EDITION);
  writer.u8(code);
  writer.u64le(sequence);
  writer.u64le(sender);
  writer.var(token);
}

/** Puts the signature, with its length, between header and body. */
function insert(signature: Uint8Array, signedBytes: Uint8Array, headEnd: number): Uint8Array {
  const width = signature.length;
  if (width > MAX_VAR_BYTES) throw new RangeError(`a signature of ${width} bytes does not fit`);
  const whole = allocate(signedBytes.length + 2 + width);
  copy(signedBytes, 0, headEnd, whole, 0);
  whole[headEnd] = width >>> 8;
  whole[headEnd + 1] = width & 0xff;
  whole.set(signature, headEnd + 2);
  copy(signedBytes, headEnd, signedBytes.length, whole, headEnd + 2 + width);
  return whole;
}

/** The bytes without those from `cutStart` to `cutEnd`. */
function joinAround(bytes: Uint8Array, cutStart: number, cutEnd: number): Uint8Array {
  const whole = allocate(bytes.length - (cutEnd - cutStart));
  copy(bytes, 0, cutStart, whole, 0);
  copy(bytes, cutEnd, bytes.length, whole, cutStart);
  return whole;
}
