/** The recorded vectors, typed (shapes as in `vectors/*.json`) and in the words of the protocol. */
import { readFileSync } from 'node:fs';
import { encodeText, fromHex, layoutOf, type MessageType } from '@srup/protocol';
import { importOpenKey, Secret } from '@srup/node';

export interface PemPair {
  readonly privateKeyPem: string;
  readonly publicKeyPem: string;
}

/** Text of a number with its type, or the bytes themselves. */
type RecordedData = { type: 'bytes'; hex: string } | { type: string; value: string };

export interface Vector {
  readonly id: string;
  readonly type: MessageType;
  readonly note: string;
  readonly style: 'cpp' | 'pysrup';
  readonly signingKey: 'sender' | 'sender3072' | null;
  readonly sequenceId: string;
  readonly senderId: string;
  readonly token?: string;
  readonly tokenHex?: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly hex: string;
  readonly signedBytesHex?: string;
  readonly signatureHex?: string;
  readonly deterministic: boolean;
  readonly encryptedHex?: string;
}

export interface Negative {
  readonly name: string;
  readonly hex: string;
  readonly publicKey: 'sender' | 'other';
  readonly reference: { readonly deserialize: boolean; readonly verify: boolean };
}

interface V5File {
  readonly keys: Readonly<Record<'sender' | 'recipient' | 'other' | 'sender3072', PemPair>>;
  readonly statusCodes: Readonly<Record<string, number>>;
  readonly vectors: readonly Vector[];
  readonly negative: readonly Negative[];
  readonly extras: {
    readonly pss: { key: 'sender'; cases: { message: string; signatureBase64: string }[] };
    readonly publicKeyBody: { key: 'sender'; body: string; rebuiltPem: string };
    readonly csr: { subject: string; pem: string };
    readonly sealedBlob: Readonly<Record<string, string>> & { cipherLength: number; plainLength: number };
  };
}

export interface SessionEvent {
  readonly phase: string;
  readonly event: string;
  readonly client: string;
  readonly topic: string;
  readonly hex: string;
  readonly type: MessageType;
  readonly senderId: string;
  readonly sequenceId: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly decrypted?: { readonly text: string };
}

export interface HttpEvent {
  readonly phase?: string;
  readonly method?: string;
  readonly url?: string;
  readonly status?: number;
  readonly request?: Readonly<Record<string, string>>;
  readonly response?: string;
}

interface SessionFile {
  readonly identities: Readonly<Record<string, string>>;
  readonly keys: Readonly<Record<string, PemPair>>;
  readonly mqtt: readonly SessionEvent[];
  readonly http: readonly HttpEvent[];
  readonly observations: Readonly<Record<string, unknown>>;
}

const FOLDER = new URL('../../vectors/', import.meta.url);

function read(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8'));
}

export const V5 = read('srup-v5.json') as V5File;
export const SESSION = read('pysrup-session.json') as SessionFile;

export function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (bytes === undefined) throw new RangeError(`no hex: ${hex.slice(0, 40)}`);
  return bytes;
}

export function openKeyOf(pair: PemPair) {
  const signing = { privatePem: new Secret(pair.privateKeyPem), publicPem: pair.publicKeyPem };
  return importOpenKey({ suite: 'rsa-sha256', signing });
}

/** Bytes of a recorded DATA value: numbers little-endian (P 2.1). */
export function dataOf(recorded: RecordedData): Uint8Array {
  if ('hex' in recorded) return bytesOf(recorded.hex);
  const { type, value } = recorded;
  if (type === 'string') return encodeText(value);
  const integer = /^(u?)int(8|16|32|64)$/.exec(type);
  if (integer !== null) return littleEndian(BigInt(value), Number(integer[2]) / 8);
  const view = new DataView(new ArrayBuffer(type === 'float' ? 4 : 8));
  if (type === 'float') view.setFloat32(0, Number(value), true);
  else view.setFloat64(0, Number(value), true);
  return new Uint8Array(view.buffer);
}

function littleEndian(value: bigint, width: number): Uint8Array {
  const bits = BigInt.asUintN(8 * width, value);
  return Uint8Array.from({ length: width }, (_, at) => Number((bits >> BigInt(8 * at)) & 0xffn));
}

/** The reference's names of fields, where ours differ. */
const NAMES: Readonly<Record<string, string>> = { deviceSequence: 'index', reqId: 'requestId' };

/** The body that a vector must decode to; a sealed field holds what was recorded on the wire. */
export function bodyOf(vector: Vector): Record<string, unknown> {
  const kinds = new Map(layoutOf(vector.type).fields.map(({ name, kind }) => [name, kind]));
  const body: Record<string, unknown> = {};
  for (const [recordedName, value] of Object.entries(vector.fields)) {
    const name = NAMES[recordedName] ?? recordedName;
    const kind = kinds.get(name);
    if (kind === 'id') body[name] = BigInt(value as string);
    else if (kind === 'bytes') body[name] = dataOf(value as RecordedData);
    else if (kind !== undefined) body[name] = value;
  }
  for (const [name, kind] of kinds) {
    if (kind === 'sealed') body[name] = bytesOf(vector.encryptedHex ?? '');
  }
  return body;
}

export function tokenOf({ token, tokenHex }: Vector): Uint8Array {
  return token === undefined ? bytesOf(tokenHex ?? '') : encodeText(token);
}

/** What is sealed in a vector; undefined where nothing is. */
export function plaintextOf({ fields }: Vector): Uint8Array | undefined {
  if (typeof fields['plaintextHex'] === 'string') return bytesOf(fields['plaintextHex']);
  return typeof fields['plaintext'] === 'string' ? encodeText(fields['plaintext']) : undefined;
}
