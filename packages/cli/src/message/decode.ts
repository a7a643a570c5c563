/** Answers requests about received bytes: decodes them, and verifies and opens them if keys are given. */
import {
  authenticate,
  decode,
  decode2016,
  EDITION_2016,
  isIdentity,
  layoutOf,
  LAYOUTS_2016,
  MAX_MESSAGE_BYTES,
  MAX_TOKEN_BYTES,
  plainText,
  reject,
  type Decoded,
  type DecodeLimits,
  type FaultCode,
  type Identity,
  type Result,
} from '@srup/protocol';
import { refusal, type Answer } from './answer.ts';
import { toBodyJson, type BodyJson } from './body-json.ts';
import { openKeyOf, verifyKeyOf } from './keys.ts';
import { formFault, writeHex } from './request.ts';

/** The limits of an inspector, which also reads what no transport carries: old captures, files, reference vectors. */
export const INSPECTOR_LIMITS: Required<DecodeLimits> = { messageBytes: 1 << 20, tokenBytes: 65_535 };

/** A request about one message. */
export interface DecodeRequest {
  readonly bytes: Uint8Array;
  readonly publicKeyPem?: string | undefined;
  readonly openKeyPem?: string | undefined;
  /** The recipient of a sealed field; only X25519 keys need it (P 4.4). */
  readonly recipient?: Identity | undefined;
}

export interface DecodeAnswer extends Answer {
  edition?: 5 | 2016;
  type?: string;
  sequence?: string;
  sender?: string;
  token?: string;
  tokenHex?: string;
  body?: BodyJson;
  terminatedText?: true | readonly string[];
  signature?: 'valid' | 'invalid' | 'unchecked';
  opened?: string;
  openedHex?: string;
  /** The code with which a receiver refuses this message, although this inspector can read it. */
  refusedOnTransport?: FaultCode;
  /** The offset of the fault in bytes. */
  offset?: number;
}

/** Answers a request. It returns a promise only to open a field, which keeps batches fast. Throws `InputFault`. */
export function answerDecode(request: DecodeRequest): DecodeAnswer | Promise<DecodeAnswer> {
  if (request.bytes[0] === EDITION_2016) return answer2016(request.bytes);
  const result = decode(request.bytes, INSPECTOR_LIMITS);
  if (!result.ok) return refused(result.code, result.offset);
  const answer = describeDecoded(result.value);
  if (result.value.message.type === 'GENERIC') return answer; // a parse view has nothing signed or sealed
  checkSignature(answer, result.value, request.publicKeyPem);
  // An invalid message is not opened, so that a forger can't use the holder of a key (P 4.3).
  return answer.ok && request.openKeyPem !== undefined
    ? openSealed(answer, result.value, request.openKeyPem, request.recipient)
    : answer;
}

function refused(code: FaultCode, offset: number | undefined): DecodeAnswer {
  return { ...refusal(code), ...(offset !== undefined && { offset }) };
}

function describeDecoded({ message, bytes }: Decoded): DecodeAnswer {
  const { type, sequence, sender, token, body, terminated = [] } = message;
  const { fields } = layoutOf(type);
  const answer: DecodeAnswer = {
    ok: true,
    edition: 5,
    type,
    sequence: sequence.toString(),
    sender: sender.toString(),
    ...tokenJson(token),
    body: toBodyJson(fields, body),
  };
  if (terminated.length > 0) {
    const all = fields.filter(({ kind }) => kind === 'cstring').length;
    answer.terminatedText = terminated.length === all ? true : terminated;
  }
  answer.signature = 'unchecked';
  if (bytes.length > MAX_MESSAGE_BYTES) answer.refusedOnTransport = 'WIRE_TOO_LONG';
  else if (token.length > MAX_TOKEN_BYTES) answer.refusedOnTransport = 'WIRE_TOKEN_LONG';
  return answer;
}

function tokenJson(token: Uint8Array): { token: string } | { tokenHex: string } {
  const text = plainText(token);
  return text === undefined ? { tokenHex: writeHex(token) } : { token: text };
}

function answer2016(bytes: Uint8Array): DecodeAnswer {
  const result = decode2016(bytes, INSPECTOR_LIMITS.messageBytes);
  if (!result.ok) return refused(result.code, result.offset);
  const { type, body } = result.value;
  const { fields } = LAYOUTS_2016.find((row) => row.type === type) as (typeof LAYOUTS_2016)[number];
  const others = fields.filter(({ name }) => name !== 'token');
  // The signature can't be checked, as the publication does not say what it covers.
  const json = { ...tokenJson(body.token), body: toBodyJson(others, body), signature: 'unchecked' } as const;
  return { ok: true, edition: 2016, type, ...json };
}

function checkSignature(answer: DecodeAnswer, decoded: Decoded, publicKeyPem: string | undefined): void {
  if (publicKeyPem === undefined) return;
  const authentic = authenticate(decoded, verifyKeyOf(publicKeyPem));
  answer.signature = authentic.ok ? 'valid' : 'invalid';
  if (!authentic.ok) Object.assign(answer, refusal(authentic.code));
}

async function openSealed(
  answer: DecodeAnswer,
  decoded: Decoded,
  openKeyPem: string,
  recipient: Identity | undefined,
): Promise<DecodeAnswer> {
  const opened = await open(decoded, openKeyPem, recipient);
  if (opened === undefined) return answer;
  if (!opened.ok) return Object.assign(answer, refusal(opened.code));
  const text = plainText(opened.value);
  if (text === undefined) answer.openedHex = writeHex(opened.value);
  else answer.opened = text;
  return answer;
}

/** Undefined when the type has no sealed field. */
async function open(
  decoded: Decoded,
  openKeyPem: string,
  recipient: Identity | undefined,
): Promise<Result<Uint8Array> | undefined> {
  const { message, header } = decoded;
  const field = layoutOf(message.type).fields.find(({ kind }) => kind === 'sealed');
  if (field === undefined) return undefined;
  const { key, needsRecipient } = openKeyOf(openKeyPem);
  const sealed = (message.body as Readonly<Record<string, unknown>>)[field.name] as Uint8Array;
  const value = await key.open(sealed, { header, recipient: knownRecipient(needsRecipient, recipient) });
  return value === undefined ? reject('FLOW_SEAL') : { ok: true, value };
}

/** The recipient for opening. RSA sealing is not bound to one, so any id will do. */
export function knownRecipient(needed: boolean, recipient: Identity | undefined): Identity {
  if (recipient !== undefined && isIdentity(recipient)) return recipient;
  if (needed) {
    throw formFault(
      'An X25519 key needs the recipient of the message: give its id as "recipient" (--recipient).',
    );
  }
  return 1n;
}
