import type { Cursor } from '../wire/cursor.ts';
import { WireFault } from '../wire/fault.ts';
import type { Writer } from '../wire/writer.ts';
import type { Field } from './layouts.ts';

type Values = Record<string, unknown>;

interface Body {
  readonly body: Values;
  readonly terminated: readonly string[] | undefined;
}

/** Reads the fields of a row in their order. WireFault for a field that is wrong. */
export function readBody(cursor: Cursor, fields: readonly Field[]): Body {
  const body: Values = {};
  let terminated: string[] | undefined;
  for (const field of fields) {
    switch (field.kind) {
      case 'u8':
        body[field.name] = cursor.u8();
        break;
      case 'u32':
        body[field.name] = cursor.u32le();
        break;
      case 'id':
        body[field.name] = cursor.u64le();
        break;
      case 'bytes':
      case 'sealed':
        body[field.name] = cursor.var();
        break;
      case 'text':
        body[field.name] = cursor.text();
        break;
      case 'cstring': {
        const { text, terminated: ends } = cursor.cstring();
        body[field.name] = text;
        if (ends) (terminated ??= []).push(field.name);
        break;
      }
      case 'zeros':
        if (cursor.u8() !== 0 || cursor.u8() !== 0) throw new WireFault('WIRE_RESERVED', cursor.offset - 1);
        break;
    }
  }
  return { body, terminated };
}

/** Writes the fields of a row in their order. RangeError for a value that does not fit its field. */
export function writeBody(
  writer: Writer,
  fields: readonly Field[],
  body: object,
  terminated: readonly string[] | undefined,
): void {
  const values = body as Values;
  for (const { name, kind } of fields) {
    const value = values[name];
    switch (kind) {
      case 'u8':
        writer.u8(value as number);
        break;
      case 'u32':
        writer.u32le(value as number);
        break;
      case 'id':
        writer.u64le(value as bigint);
        break;
      case 'bytes':
      case 'sealed':
        writer.var(value as Uint8Array);
        break;
      case 'text':
      case 'cstring':
        writer.text(value as string, terminated?.includes(name));
        break;
      case 'zeros':
        writer.u16be(0);
        break;
    }
  }
}
