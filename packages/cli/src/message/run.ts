/** Runs `srup message decode` and `encode`. */
import type { Identity } from '@srup/protocol';
import { terminalOf } from '../screen/terminal.ts';
import { EXIT, UserError } from '../user-error.ts';
import { toLine } from './answer.ts';
import { answerRequests } from './batch.ts';
import { answerDecode, type DecodeRequest } from './decode.ts';
import { answerEncode, ENCODE_KEYS } from './encode.ts';
import { open, readKeyFile, readMessageBytes, readText } from './input.ts';
import { openKeyOf, verifyKeyOf } from './keys.ts';
import {
  InputFault,
  optionalText,
  parseRequest,
  readHex,
  readId,
  requiredText,
  type Request,
  type RequestId,
} from './request.ts';
import { renderView } from './view.ts';

export interface DecodeOptions {
  readonly key?: string;
  readonly open?: string;
  readonly recipient?: string;
  readonly json?: true;
  readonly batch?: true;
}

type Keys = Omit<DecodeRequest, 'bytes'>;

export async function runDecode(source: string, options: DecodeOptions): Promise<void> {
  const keys = await readKeys(options);
  if (options.batch === true) {
    await answerRequests(open(source), process.stdout, DECODE_KEYS, (request) =>
      answerDecode(readDecodeRequest(request, keys)),
    );
    return;
  }
  const bytes = await readMessageBytes(source);
  const answer = await orUserError(() => answerDecode({ ...keys, bytes }));
  if (options.json === true) console.log(toLine(answer));
  else process.stdout.write(renderView(bytes, answer, terminalOf(process.stdout)));
  if (!answer.ok) process.exitCode = EXIT.refused;
}

export async function runEncode(source: string, options: { readonly batch?: true }): Promise<void> {
  if (options.batch === true) {
    await answerRequests(open(source), process.stdout, ENCODE_KEYS, answerEncode);
    return;
  }
  const text = await readText(source);
  const answer = await orUserError(async () => {
    let id: RequestId | undefined;
    const request = parseRequest(text, ENCODE_KEYS, (value) => (id = value));
    return { id, ...(await answerEncode(request)) };
  });
  console.log(toLine(answer));
}

async function readKeys({ key, open, recipient }: DecodeOptions): Promise<Keys> {
  const publicKeyPem = key === undefined ? undefined : await readKeyFile(key);
  const openKeyPem = open === undefined ? undefined : await readKeyFile(open);
  return orUserError(() => {
    // A text that is not a key is reported once, before anything is read.
    if (publicKeyPem !== undefined) verifyKeyOf(publicKeyPem);
    if (openKeyPem !== undefined) openKeyOf(openKeyPem);
    const id = recipient === undefined ? undefined : readId(recipient, '--recipient');
    return { publicKeyPem, openKeyPem, recipient: id };
  });
}

const DECODE_KEYS: ReadonlySet<string> = new Set(['id', 'hex', 'publicKeyPem', 'openKeyPem', 'recipient']);

/** Reads a line; the options apply where it gives no value. */
function readDecodeRequest(request: Request, keys: Keys): DecodeRequest {
  return {
    bytes: readHex(requiredText(request, 'hex'), 'hex'),
    publicKeyPem: optionalText(request, 'publicKeyPem') ?? keys.publicKeyPem,
    openKeyPem: optionalText(request, 'openKeyPem') ?? keys.openKeyPem,
    recipient: readRecipient(request) ?? keys.recipient,
  };
}

function readRecipient(request: Request): Identity | undefined {
  const text = optionalText(request, 'recipient');
  return text === undefined ? undefined : readId(text, 'recipient');
}

/** Turns a wrong request into a `UserError`, outside a batch. */
async function orUserError<Value>(make: () => Value | Promise<Value>): Promise<Value> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof InputFault) throw new UserError(error.message, HINTS[error.code]);
    throw error;
  }
}

const KEY_HINT =
  'Give an unencrypted PEM file of an RSA (2048 to 4096 bits), Ed25519, ML-DSA-65 or X25519 key.';

const HINTS: Readonly<Record<InputFault['code'], string>> = {
  INPUT_JSON: 'Give one JSON object; "srup message encode --help" shows one.',
  INPUT_FORM: 'Correct it and run the command again; "srup message --help" shows examples.',
  INPUT_LONG: 'Shorten it and run the command again.',
  KEY_MALFORMED: KEY_HINT,
  KEY_UNSUPPORTED: KEY_HINT,
  KEY_WEAK: 'Make a new key, and never use the old one again.',
};
