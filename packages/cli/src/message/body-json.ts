/** Reads and writes body fields for people: numbers as numbers, ids as decimal text, bytes as text or hex. */
import { encodeText, plainText, showText, type Field } from '@srup/protocol';
import {
  formFault,
  isObject,
  optionalText,
  readHex,
  readId,
  requiredText,
  writeHex,
  type Request,
} from './request.ts';

export type BodyJson = Record<string, string | number>;

export function toBodyJson(fields: readonly Field[], body: object): BodyJson {
  const values = body as Readonly<Record<string, unknown>>;
  const json: BodyJson = {};
  for (const { name, kind } of fields) {
    const value = values[name];
    if (kind === 'bytes' || kind === 'sealed') writeBytes(json, name, value as Uint8Array, kind === 'bytes');
    else if (kind === 'id') json[name] = (value as bigint).toString();
    else if (kind !== 'zeros') json[name] = value as string | number;
  }
  return json;
}

/** Writes `<name>Hex`, and also `<name>` if the bytes are text that a person can read. */
function writeBytes(json: BodyJson, name: string, bytes: Uint8Array, mayBeText: boolean): void {
  const text = mayBeText ? plainText(bytes) : undefined;
  if (text !== undefined) json[name] = text;
  json[`${name}Hex`] = writeHex(bytes);
}

export function fromBodyJson(fields: readonly Field[], value: unknown): Record<string, unknown> {
  if (!isObject(value)) throw formFault('"body" must be an object with the fields of the type.');
  const carried = fields.filter(({ kind }) => kind !== 'zeros');
  const known = carried.flatMap(({ name, kind }) => (isBytes(kind) ? [name, `${name}Hex`] : [name]));
  const foreign = Object.keys(value).find((key) => !known.includes(key));
  if (foreign !== undefined) {
    const fit = known.length === 0 ? 'it has none' : `it may have ${known.join(', ')}`;
    throw formFault(`The body has no field ${showText(foreign)}: ${fit}.`);
  }
  return Object.fromEntries(carried.map((field) => [field.name, readField(field, value)]));
}

function isBytes(kind: Field['kind']): boolean {
  return kind === 'bytes' || kind === 'sealed';
}

function readField({ name, kind }: Field, body: Request): unknown {
  switch (kind) {
    case 'u8':
      return readCount(body, name, 0xff);
    case 'u32':
      return readCount(body, name, 0xffff_ffff);
    case 'id':
      return readId(requiredText(body, name), name);
    case 'bytes':
    case 'sealed':
      return readTextOrHex(body, name);
    default:
      return checkText(requiredText(body, name), name);
  }
}

function readCount(body: Request, name: string, most: number): number {
  const value = body[name];
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw formFault(`"${name}" must be a whole number from 0 to ${most}.`);
}

/** Reads `<name>` as text, or `<name>Hex`. If both are given, they must be the same bytes. */
export function readTextOrHex(from: Request, name: string): Uint8Array {
  const text = optionalText(from, name);
  const hex = optionalText(from, `${name}Hex`);
  if (text === undefined && hex === undefined) throw formFault(`"${name}" or "${name}Hex" is missing.`);
  const ofText = text === undefined ? undefined : encodeText(checkText(text, name));
  const ofHex = hex === undefined ? undefined : readHex(hex, `${name}Hex`);
  if (ofText !== undefined && ofHex !== undefined && writeHex(ofText) !== writeHex(ofHex)) {
    throw formFault(`"${name}" and "${name}Hex" are not the same bytes.`);
  }
  return (ofText ?? ofHex) as Uint8Array;
}

/** Refuses a lone surrogate, which UTF-8 can't encode. */
function checkText(text: string, name: string): string {
  if (/\p{Surrogate}/u.test(text)) throw formFault(`"${name}" has half of a character (a lone surrogate).`);
  return text;
}
