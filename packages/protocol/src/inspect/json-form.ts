/**
 * The JSON form of a message (P 11.1), for a transport of texts. The binary form is the one that is signed. Reading
 * rebuilds its bytes and hands them to `decode`. So a message has one judge, and one signature fits both forms.
 */
import { accept, reject, type Result, type WireCode } from '../faults.ts';
import { MAX_U64, MAX_VAR_BYTES } from '../limits.ts';
import { fromBase64Url, toBase64Url } from '../wire/encoding.ts';
import { WireFault } from '../wire/fault.ts';
import { encodeText } from '../wire/text.ts';
import { decode, encode, type Decoded, type DecodeLimits } from '../message/envelope.ts';
import { isMessageType, layoutOf, type Field, type MessageType } from '../message/layouts.ts';
import { EDITION, type Message } from '../message/message.ts';

/** As `JSON.stringify` takes it. 64-bit numbers are text, bytes are base64url without padding. */
export interface JsonForm {
  readonly srup: typeof EDITION;
  readonly type: MessageType;
  /** Decimal. */
  readonly sequence: string;
  /** Lower-case hex without leading zeros, as every id (P 2.7). */
  readonly sender: string;
  readonly token: string;
  readonly signature: string;
  readonly body: Readonly<Record<string, string | number>>;
  /** Which `cstring` fields end with pySRUP's NUL (P 2.5): true for all of the message, otherwise their names. */
  readonly terminatedText?: true | readonly string[];
}

const KEYS = ['srup', 'type', 'sequence', 'sender', 'token', 'signature', 'body'];
const DECIMAL = /^(?:0|[1-9][0-9]{0,19})$/;
const ID = /^(?:0|[1-9a-f][0-9a-f]{0,15})$/;
/** Characters of base64url that hold the longest field. */
const MAX_VAR_CHARACTERS = Math.ceil((MAX_VAR_BYTES * 4) / 3);

/**
 * The JSON form of a message.
 *
 * @example
 * const text = JSON.stringify(toJsonForm(decoded)); // '{"srup":5,"type":"ACTION",...}'
 */
export function toJsonForm({ message, signature }: Decoded): JsonForm {
  const { type, sequence, sender, token } = message;
  const values = message.body as Readonly<Record<string, unknown>>;
  const { fields } = layoutOf(type);
  const body = fields.flatMap((field) =>
    field.kind === 'zeros' ? [] : [[field.name, toJsonValue(field, values[field.name])] as const],
  );
  const terminatedText = toTerminated(fields, message.terminated ?? []);
  return {
    srup: EDITION,
    type,
    sequence: sequence.toString(),
    sender: sender.toString(16),
    token: toBase64Url(token),
    signature: toBase64Url(signature),
    body: Object.fromEntries(body),
    ...(terminatedText && { terminatedText }),
  };
}

function toJsonValue({ kind }: Field, value: unknown): string | number {
  if (kind === 'id') return (value as bigint).toString(16);
  if (kind === 'bytes' || kind === 'sealed') return toBase64Url(value as Uint8Array);
  return value as string | number;
}

/** One set of fields has one spelling. */
function toTerminated(fields: readonly Field[], terminated: readonly string[]): JsonForm['terminatedText'] {
  if (terminated.length === 0) return undefined;
  return terminated.length === cstrings(fields).length ? true : terminated;
}

function cstrings(fields: readonly Field[]): string[] {
  return fields.filter(({ kind }) => kind === 'cstring').map(({ name }) => name);
}

/**
 * Reads any value that `JSON.parse` gives. It is strict: exactly the keys of the type, and only the spelling that
 * `toJsonForm` writes; otherwise WIRE_FORM, or what `decode` says of the bytes. A refusal has no offset, since the
 * bytes were never sent.
 *
 * @example
 * const decoded = fromJsonForm(JSON.parse(text));
 * if (!decoded.ok) refuse(decoded.code);
 */
export function fromJsonForm(value: unknown, limits: DecodeLimits = {}): Result<Decoded, WireCode> {
  try {
    const { message, signature } = read(value);
    const decoded = decode(encode(message).assemble(signature), limits);
    return decoded.ok ? accept(decoded.value) : reject(decoded.code);
  } catch (fault) {
    if (fault instanceof WireFault) return reject(fault.code);
    throw fault;
  }
}

function read(value: unknown): { message: Message; signature: Uint8Array } {
  const form = readObject(value, KEYS, ['terminatedText']);
  const type = form['type'];
  if (form['srup'] !== EDITION) throw new WireFault('WIRE_EDITION', 0); // P 1.3
  if (typeof type !== 'string') throw badForm();
  if (!isMessageType(type)) throw new WireFault('WIRE_TYPE', 0);
  const signature = readBytes(form['signature']);
  if (type === 'GENERIC' && signature.length > 0) throw badForm(); // a parse view has none (P 3)
  const token = readBytes(form['token']);
  if (token.length === 0) throw new WireFault('WIRE_TOKEN_EMPTY', 0);
  const { fields } = layoutOf(type);
  const sequence = readNumber(form['sequence'], DECIMAL, '');
  const sender = readNumber(form['sender'], ID, '0x');
  const terminated = readTerminated(form['terminatedText'], cstrings(fields));
  const body = readFields(form['body'], fields, terminated);
  const texts = terminated.length > 0 ? { terminated } : {};
  return { message: { type, sequence, sender, token, body, ...texts } as Message, signature };
}

function badForm(): WireFault {
  return new WireFault('WIRE_FORM', 0);
}

/** An object with exactly these own keys. */
function readObject(
  value: unknown,
  keys: readonly string[],
  optional: readonly string[] = [],
): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badForm();
  const foreign = Object.keys(value).some((key) => !keys.includes(key) && !optional.includes(key));
  if (foreign || keys.some((key) => !Object.hasOwn(value, key))) throw badForm();
  return value as Readonly<Record<string, unknown>>;
}

function readNumber(value: unknown, spelling: RegExp, prefix: string): bigint {
  if (typeof value !== 'string' || !spelling.test(value)) throw badForm();
  const number = BigInt(prefix + value);
  if (number > MAX_U64) throw badForm();
  return number;
}

function readBytes(value: unknown): Uint8Array {
  if (typeof value !== 'string') throw badForm();
  if (value.length > MAX_VAR_CHARACTERS) throw new WireFault('WIRE_TOO_LONG', 0);
  const bytes = fromBase64Url(value);
  if (bytes === undefined) throw badForm();
  return bytes;
}

function readFields(
  value: unknown,
  fields: readonly Field[],
  terminated: readonly string[],
): Record<string, unknown> {
  const carried = fields.filter(({ kind }) => kind !== 'zeros');
  const names = carried.map(({ name }) => name);
  const body = readObject(value, names);
  const read = (field: Field): unknown => readField(field, body[field.name], terminated.includes(field.name));
  return Object.fromEntries(carried.map((field) => [field.name, read(field)]));
}

function readField({ kind }: Field, value: unknown, isTerminated: boolean): unknown {
  switch (kind) {
    case 'u8':
      return readCount(value, 0xff);
    case 'u32':
      return readCount(value, 0xffff_ffff);
    case 'id':
      return readNumber(value, ID, '0x');
    case 'bytes':
    case 'sealed':
      return readBytes(value);
    default:
      return readText(value, isTerminated ? MAX_VAR_BYTES - 1 : MAX_VAR_BYTES);
  }
}

function readCount(value: unknown, most: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > most) throw badForm();
  return value;
}

const LONE_SURROGATE = /\p{Surrogate}/u;

/** Refuses what the writer would throw for: its RangeErrors are for mistakes of programs, not of peers. */
function readText(value: unknown, room: number): string {
  if (typeof value !== 'string') throw badForm();
  if (value.includes('\0')) throw new WireFault('WIRE_NUL', 0);
  if (LONE_SURROGATE.test(value)) throw new WireFault('WIRE_TEXT', 0);
  if (value.length > room || encodeText(value).length > room) throw new WireFault('WIRE_TOO_LONG', 0);
  return value;
}

function readTerminated(value: unknown, names: readonly string[]): readonly string[] {
  if (value === undefined) return [];
  if (value === true && names.length > 0) return names;
  if (!Array.isArray(value)) throw badForm();
  const some = names.filter((name) => value.includes(name));
  const isInOrder = some.length === value.length && some.every((name, at) => value[at] === name);
  if (!isInOrder || some.length === 0 || some.length === names.length) throw badForm();
  return some;
}
