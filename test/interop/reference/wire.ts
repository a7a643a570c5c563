/**
 * Messages as pySRUP writes and reads them. Written from the layout tables alone and with nothing of our protocol
 * package, so that a mistake in that one can't hide behind the same mistake here.
 */
import { constants, createPrivateKey, createPublicKey, randomUUID, sign, verify } from 'node:crypto';

/** `text`: a C string, of which pySRUP counts the final NUL as part; it reads one up to its NUL, wherever that is. */
type Kind = 'u8' | 'u64' | 'bytes' | 'text';
type Value = number | bigint | Buffer | string;
export type Body = Readonly<Record<string, Value>>;

const LAYOUTS: Readonly<Record<string, { code: number; fields?: Readonly<Record<string, Kind>> }>> = {
  INITIATE: { code: 0x01, fields: { url: 'text', digest: 'text' } },
  RESPONSE: { code: 0x02, fields: { status: 'u8' } },
  ACTIVATE: { code: 0x03 },
  ACTION: { code: 0x04, fields: { actionId: 'u8' } },
  DATA: { code: 0x05, fields: { dataId: 'bytes', data: 'bytes' } },
  ID_REQUEST: { code: 0x06 },
  JOIN_REQ: { code: 0x09 },
  JOIN_CMD: { code: 0x0a, fields: { deviceId: 'u64' } },
  HM_JOIN_REQ: { code: 0x0b },
  HM_JOIN_RESP: { code: 0x0c, fields: { encrypted: 'bytes' } },
  OBS_JOIN_REQ: { code: 0x0d, fields: { observerId: 'u64' } },
  OBS_JOIN_RESP: { code: 0x0e, fields: { encrypted: 'bytes' } },
  OBSERVE_REQ: { code: 0x0f, fields: { joiningDeviceId: 'u64', encrypted: 'bytes' } },
  RESIGN_REQUEST: { code: 0x10 },
  TERMINATE_CMD: { code: 0x11 },
  DEREGISTER_REQ: { code: 0x12 },
  DEREGISTER_CMD: { code: 0x13 },
};

export interface Note {
  readonly type: string;
  readonly sequence: bigint;
  readonly sender: bigint;
  readonly token: string;
  readonly body: Body;
}

export interface ReceivedNote extends Note {
  readonly bytes: Buffer;
  readonly signature: Buffer;
  /** Everything but the signature and its length. */
  readonly signed: Buffer;
}

/** pySRUP's tokens: UUIDs of version 4, as text. */
export function uuid4(): string {
  return randomUUID();
}

/** Signed with RSASSA-PKCS1-v1_5 and SHA-256. */
export function writeNote({ type, sequence, sender, token, body }: Note, privatePem: string): Buffer {
  const { code, fields = {} } = LAYOUTS[type]!;
  const numbers = Buffer.alloc(16);
  numbers.writeBigUInt64LE(sequence, 0);
  numbers.writeBigUInt64LE(sender, 8);
  const header = Buffer.concat([Buffer.of(5, code), numbers, counted(Buffer.from(token))]);
  const rest = Buffer.concat(Object.entries(fields).map(([name, kind]) => writeField(kind, body[name]!)));
  const signature = sign('sha256', Buffer.concat([header, rest]), createPrivateKey(privatePem));
  return Buffer.concat([header, counted(signature), rest]);
}

function writeField(kind: Kind, value: Value): Buffer {
  switch (kind) {
    case 'u8':
      return Buffer.of(value as number);
    case 'u64': {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(value as bigint);
      return bytes;
    }
    case 'bytes':
      return counted(value as Buffer);
    case 'text':
      return counted(Buffer.from(`${value as string}\0`));
  }
}

function counted(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** What stands in memory behind a text without a NUL: pySRUP reads on into it. */
const OVERRUN = '<read past the end>';

/** Reads a message; throws if it is not one of this edition. */
export function readNote(bytes: Buffer): ReceivedNote {
  const layout = Object.entries(LAYOUTS).find(([, { code }]) => code === bytes[1]);
  if (bytes[0] !== 5 || layout === undefined) throw new Error(`no message: ${bytes.toString('hex', 0, 2)}`);
  const [type, { fields = {} }] = layout;
  let at = 18;
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new Error(`${type} is too short`);
    at += length;
    return bytes.subarray(at - length, at);
  };
  const takeCounted = (): Buffer => take(take(2).readUInt16BE());
  const token = takeCounted().toString();
  const header = bytes.subarray(0, at);
  const signature = takeCounted();
  const rest = bytes.subarray(at);
  const readers: Readonly<Record<Kind, () => Value>> = {
    u8: () => take(1).readUInt8(),
    u64: () => take(8).readBigUInt64LE(),
    bytes: takeCounted,
    text: () => {
      const text = takeCounted().toString();
      return text.includes('\0') ? text.slice(0, text.indexOf('\0')) : text + OVERRUN;
    },
  };
  const body = Object.fromEntries(Object.entries(fields).map(([name, kind]) => [name, readers[kind]()]));
  if (at !== bytes.length) throw new Error(`${type} has bytes left over`);
  return {
    ...{ type, token, body, bytes, signature },
    sequence: bytes.readBigUInt64LE(2),
    sender: bytes.readBigUInt64LE(10),
    signed: Buffer.concat([header, rest]),
  };
}

export function isSignedBy({ signed, signature }: ReceivedNote, publicPem: string): boolean {
  return verify('sha256', signed, createPublicKey(publicPem), signature);
}

/** The proofs of registration: RSA-PSS with SHA-256 and the longest salt, in base64 as Python breaks it. */
export function prove(text: string, privatePem: string): string {
  const key = { key: privatePem, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: LONGEST_SALT };
  return base64Lines(sign('sha256', Buffer.from(text), key));
}

/** A salt of any other length is refused. */
export function isProven(text: string, signature: string, publicPem: string): boolean {
  const key = { key: publicPem, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: LONGEST_SALT };
  return verify('sha256', Buffer.from(text), key, Buffer.from(signature, 'base64'));
}

/** 256 bytes of modulus, less the hash and two. */
const LONGEST_SALT = 222;

/** `base64.encodebytes`: lines of 76 letters, each with its end. */
export function base64Lines(bytes: Buffer | string): string {
  return Buffer.from(bytes)
    .toString('base64')
    .replace(/.{1,76}/g, '$&\n');
}
