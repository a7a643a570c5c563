/** Reads one JSON object that a person wrote, key by key, with errors that name the key. */
import { parseIdentity, showText, type Identity } from '@srup/protocol';
import type { KeyError } from '@srup/node';

/** Why a request could not be read. The code is not about the message. */
export type InputCode =
  | 'INPUT_JSON' // not one JSON object
  | 'INPUT_FORM' // a key is missing, unknown or of another kind
  | 'INPUT_LONG'; // the line is longer than the limit

/** The request, or a key in it, is wrong. The message is one sentence without key material. */
export class InputFault extends Error {
  override readonly name = 'InputFault';
  readonly code: InputCode | KeyError['code'];

  constructor(code: InputFault['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export type Request = Readonly<Record<string, unknown>>;

export function formFault(message: string): InputFault {
  return new InputFault('INPUT_FORM', message);
}

/** The id with which a person marks a request, to find its answer. */
export type RequestId = string | number | null;

/**
 * Parses the object in a text. It accepts only known keys, as a misspelt one would otherwise be ignored silently. It
 * calls `seen` with the object's id before it checks anything else.
 */
export function parseRequest(
  text: string,
  known: ReadonlySet<string>,
  seen: (id: RequestId | undefined) => void,
): Request {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputFault('INPUT_JSON', 'The input is not JSON.');
  }
  if (!isObject(value)) throw new InputFault('INPUT_JSON', 'The input is not a JSON object.');
  seen(readRequestId(value['id']));
  for (const key in value) {
    if (!known.has(key)) throw formFault(`There is no key ${showText(key)} here.`);
  }
  return value;
}

/** The id of a request. Lists and objects are refused: a deeply nested one can be read but not written again. */
function readRequestId(id: unknown): RequestId | undefined {
  if (id === undefined || id === null || typeof id === 'string' || typeof id === 'number') return id;
  throw formFault('"id" must be text or a number.');
}

export function isObject(value: unknown): value is Request {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function optionalText(request: Request, key: string): string | undefined {
  const value = request[key];
  if (value === undefined || typeof value === 'string') return value;
  throw formFault(`"${key}" must be text.`);
}

export function requiredText(request: Request, key: string): string {
  const value = optionalText(request, key);
  if (value === undefined) throw formFault(`"${key}" is missing.`);
  return value;
}

const DECIMAL = /^(?:0|[1-9][0-9]{0,19})$/;

/** Reads an unsigned 64-bit number as decimal text, as a JSON number would lose its last digits. */
export function requiredU64(request: Request, key: string): bigint {
  return readU64(requiredText(request, key), key);
}

function readU64(text: string, key: string): bigint {
  const number = DECIMAL.test(text) ? BigInt(text) : undefined;
  if (number === undefined || number >= 1n << 64n) {
    throw formFault(`"${key}" must be a decimal number below 2^64, as text, such as "42".`);
  }
  return number;
}

/** Reads an id as text: decimal, or hex after "0x", as many ids in hex have no letter. */
export function readId(text: string, key: string): Identity {
  if (!text.startsWith('0x')) return readU64(text, key);
  const id = parseIdentity(
    text
      .slice(2)
      .toLowerCase()
      .replace(/^0+(?=.)/, ''),
  );
  if (id === undefined) throw formFault(`"${key}" must be an id: decimal, or hex after 0x.`);
  return id;
}

const HEX = /^(?:[0-9a-fA-F]{2})*$/;

/** Bytes from hex in upper or lower case, with white space anywhere; undefined for anything else. */
export function parseHex(text: string): Uint8Array | undefined {
  const digits = /\s/.test(text) ? text.replace(/\s+/g, '') : text;
  return HEX.test(digits) ? Buffer.from(digits, 'hex') : undefined;
}

export function readHex(text: string, key: string): Uint8Array {
  const bytes = parseHex(text);
  if (bytes === undefined) throw formFault(`"${key}" must be pairs of hex digits.`);
  return bytes;
}

export function writeHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
