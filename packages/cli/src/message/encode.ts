/** Answers requests for messages: encodes, seals and signs them. */
import {
  encode,
  encodeHeader,
  isMessageType,
  layoutOf,
  showText,
  type Field,
  type Message,
  type MessageType,
} from '@srup/protocol';
import type { Answer } from './answer.ts';
import { fromBodyJson, readTextOrHex } from './body-json.ts';
import { INSPECTOR_LIMITS, knownRecipient } from './decode.ts';
import { sealKeyOf, signKeyOf } from './keys.ts';
import {
  formFault,
  optionalText,
  readId,
  requiredText,
  requiredU64,
  writeHex,
  type Request,
} from './request.ts';

/** Keys of an encode request. Those that `decode` adds are accepted, so that its output can be encoded again. */
export const ENCODE_KEYS: ReadonlySet<string> = new Set([
  ...['id', 'type', 'sequence', 'sender', 'token', 'tokenHex', 'body', 'terminatedText'],
  ...['privateKeyPem', 'recipientPublicKeyPem', 'recipient'],
  ...['ok', 'edition', 'signature', 'opened', 'openedHex', 'refusedOnTransport'],
]);

export interface EncodeAnswer extends Answer {
  hex: string;
  /** The bytes that the signature covers (P 2.3). */
  signedHex: string;
}

/** Throws `InputFault`. */
export async function answerEncode(request: Request): Promise<EncodeAnswer> {
  const message = await readMessage(request);
  const encoded = fitting(() => encode(message));
  const signature =
    message.type === 'GENERIC' ? NOTHING : await signKey(request).signAside(encoded.signedBytes);
  const bytes = encoded.assemble(signature);
  if (bytes.length > INSPECTOR_LIMITS.messageBytes) throw formFault('The message is too long.');
  return { ok: true, hex: writeHex(bytes), signedHex: writeHex(encoded.signedBytes) };
}

const NOTHING = new Uint8Array(0);

function signKey(request: Request): ReturnType<typeof signKeyOf> {
  return signKeyOf(requiredText(request, 'privateKeyPem'));
}

/** Encodes. A value that does not fit its field is a mistake of the request, not of the program. */
function fitting<Value>(make: () => Value): Value {
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError) throw formFault(`The message can't be made: ${error.message}.`);
    throw error;
  }
}

async function readMessage(request: Request): Promise<Message> {
  const type = readType(request);
  const { fields } = layoutOf(type);
  const head = {
    type,
    sequence: requiredU64(request, 'sequence'),
    sender: readId(requiredText(request, 'sender'), 'sender'),
    token: readTextOrHex(request, 'token'),
  };
  const terminated = readTerminated(request['terminatedText'], fields);
  const body = fromBodyJson(fields, request['body'] ?? {});
  await sealInto(body, fields, head, request);
  return { ...head, body, ...(terminated.length > 0 && { terminated }) } as Message;
}

function readType(request: Request): MessageType {
  if (request['edition'] !== undefined && request['edition'] !== 5) {
    throw formFault('Only messages of edition 5 can be made: nothing acts on those of 2016.');
  }
  const type = requiredText(request, 'type');
  if (!isMessageType(type)) throw formFault(`There is no message type ${showText(type)}.`);
  return type;
}

function readTerminated(value: unknown, fields: readonly Field[]): readonly string[] {
  const names = fields.filter(({ kind }) => kind === 'cstring').map(({ name }) => name);
  if (value === undefined) return [];
  if (value === true) return names;
  if (Array.isArray(value) && value.every((name) => names.includes(name as string))) return value as string[];
  throw formFault('"terminatedText" must be true, or a list of "url" and "digest" if the type has them.');
}

/** Seals the sealed field with the recipient's key. Without a key, its value is sealed already. */
async function sealInto(
  body: Record<string, unknown>,
  fields: readonly Field[],
  head: Parameters<typeof encodeHeader>[0],
  request: Request,
): Promise<void> {
  const pem = optionalText(request, 'recipientPublicKeyPem');
  const field = fields.find(({ kind }) => kind === 'sealed');
  if (pem === undefined || field === undefined) return;
  const { key, needsRecipient } = sealKeyOf(pem);
  const named = optionalText(request, 'recipient');
  const recipient = knownRecipient(
    needsRecipient,
    named === undefined ? undefined : readId(named, 'recipient'),
  );
  const context = { recipient, header: fitting(() => encodeHeader(head)) };
  body[field.name] = await key.seal(body[field.name] as Uint8Array, context);
}
