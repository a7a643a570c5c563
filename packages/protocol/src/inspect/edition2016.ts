/**
 * Edition 2016 (P 1.2): three messages, kept exactly as they were published, for inspection and history. Nothing acts
 * on one. It names neither a sender nor a number, so whoever captured one could send it again.
 */
import { accept, reject, type Result, type WireCode } from '../faults.ts';
import { MAX_MESSAGE_BYTES } from '../limits.ts';
import { Cursor } from '../wire/cursor.ts';
import { WireFault } from '../wire/fault.ts';
import { Writer } from '../wire/writer.ts';
import { readBody, writeBody } from '../message/body.ts';
import type { Field, FieldKind } from '../message/layouts.ts';

/** Version byte of edition 2016 (P 1.2). */
export const EDITION_2016 = 1;

interface Layout2016 {
  readonly code: number;
  /** Fields after the signature, in the order of the wire. */
  readonly body: Readonly<Record<string, Extract<FieldKind, 'bytes' | 'u8'>>>;
  readonly clause: string;
}

export const MESSAGES_2016 = {
  INITIATE: {
    code: 0x01,
    body: { target: 'bytes', token: 'bytes', url: 'bytes', digest: 'bytes' },
    clause: 'P 1.2',
  },
  RESPONSE: { code: 0x02, body: { token: 'bytes', status: 'u8' }, clause: 'P 1.2' },
  ACTIVATE: { code: 0x03, body: { token: 'bytes' }, clause: 'P 1.2' },
} as const satisfies Readonly<Record<string, Layout2016>>;

export type MessageType2016 = keyof typeof MESSAGES_2016;

type Body2016<T extends MessageType2016> = {
  readonly [F in keyof (typeof MESSAGES_2016)[T]['body']]: (typeof MESSAGES_2016)[T]['body'][F] extends 'u8'
    ? number
    : Uint8Array;
};

interface MessageOf2016<T extends MessageType2016> {
  readonly type: T;
  readonly signature: Uint8Array;
  readonly body: Body2016<T>;
}

/** Every message of 2016, discriminated by `type`. The publication does not say what the signature covers. */
export type Message2016 = { [T in MessageType2016]: MessageOf2016<T> }[MessageType2016];

export interface MessageLayout2016 {
  readonly type: MessageType2016;
  readonly code: number;
  readonly fields: readonly Field[];
  readonly clause: string;
}

export const LAYOUTS_2016: readonly MessageLayout2016[] = (
  Object.keys(MESSAGES_2016) as MessageType2016[]
).map((type) => {
  const { code, body, clause }: Layout2016 = MESSAGES_2016[type];
  return { type, code, clause, fields: Object.entries(body).map(([name, kind]) => ({ name, kind })) };
});

/**
 * Reads the bytes of a message of edition 2016; any bytes give a message or a code, as with `decode`. The values are
 * views of `bytes`. `messageBytes`: the most that a message can have.
 */
export function decode2016(
  bytes: Uint8Array,
  messageBytes = MAX_MESSAGE_BYTES,
): Result<Message2016, WireCode> {
  try {
    return accept(parse(bytes, messageBytes));
  } catch (fault) {
    if (fault instanceof WireFault) return reject(fault.code, fault.offset);
    throw fault;
  }
}

function parse(bytes: Uint8Array, messageBytes: number): Message2016 {
  if (bytes.length > messageBytes) throw new WireFault('WIRE_TOO_LONG', messageBytes);
  const cursor = new Cursor(bytes);
  if (cursor.u8() !== EDITION_2016) throw new WireFault('WIRE_EDITION', 0);
  const code = cursor.u8();
  const layout = LAYOUTS_2016.find((row) => row.code === code);
  if (layout === undefined) throw new WireFault('WIRE_TYPE', 1);
  const signature = cursor.var();
  const { body } = readBody(cursor, layout.fields);
  cursor.end();
  return { type: layout.type, signature, body } as Message2016;
}

/** Writes a message of edition 2016. RangeError when a value does not fit its field. */
export function encode2016(message: Message2016): Uint8Array {
  const layout = LAYOUTS_2016.find((row) => row.type === message.type) as MessageLayout2016;
  const writer = new Writer();
  writer.u8(EDITION_2016);
  writer.u8(layout.code);
  writer.var(message.signature);
  writeBody(writer, layout.fields, message.body, undefined);
  return writer.finish();
}
