/** Messages of every type for fast-check, made from the table of layouts. */
import fc from 'fast-check';
import { LAYOUTS, type Field, type MessageLayout } from '../src/message/layouts.ts';
import type { Message } from '../src/message/message.ts';
import { MAX_TOKEN_BYTES, MAX_U64 } from '../src/limits.ts';

export const u64 = fc.bigInt({ min: 0n, max: MAX_U64 });
export const bytes = (most: number, least = 0) => fc.uint8Array({ minLength: least, maxLength: most });
/** Any text that a field can carry: no lone surrogate, no NUL. */
export const text = fc.string({ unit: 'binary', maxLength: 60 }).map((any) => any.replaceAll('\0', 'x'));

function valueOf({ kind }: Field): fc.Arbitrary<unknown> {
  switch (kind) {
    case 'u8':
      return fc.integer({ min: 0, max: 0xff });
    case 'u32':
      return fc.integer({ min: 0, max: 0xffff_ffff });
    case 'id':
      return u64;
    case 'text':
    case 'cstring':
      return text;
    default:
      return bytes(80);
  }
}

export function messagesOf({ type, fields }: MessageLayout): fc.Arbitrary<Message> {
  const carried = fields.filter(({ kind }) => kind !== 'zeros');
  const body = fc.record(Object.fromEntries(carried.map((field) => [field.name, valueOf(field)])));
  const cstrings = fields.filter(({ kind }) => kind === 'cstring').map(({ name }) => name);
  return fc
    .record({
      sequence: u64,
      sender: u64,
      token: bytes(MAX_TOKEN_BYTES, 1),
      body,
      ends: fc.subarray(cstrings),
    })
    .map(({ ends, ...rest }) => {
      const terminated = ends.length > 0 ? { terminated: ends } : {};
      return { type, ...rest, ...terminated } as unknown as Message;
    });
}

export const messages: fc.Arbitrary<Message> = fc.oneof(...LAYOUTS.map(messagesOf));
