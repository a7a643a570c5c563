import { accept, reject, type AuthCode, type Result } from '../faults.ts';
import type { Decoded } from '../message/envelope.ts';
import type { MessageType } from '../message/layouts.ts';
import type { Message, MessageOf } from '../message/message.ts';
import { SUITES, type VerifyKey } from './suite.ts';

/** Not exported as a value: only `authenticate` makes one. */
class AuthenticMessage<M extends Message = Message> {
  readonly message: M;
  readonly #decoded: Decoded;
  readonly #suite: VerifyKey['suite'];

  constructor(message: M, decoded: Decoded, suite: VerifyKey['suite']) {
    this.message = message;
    this.#decoded = decoded;
    this.#suite = suite;
  }

  get bytes(): Uint8Array {
    return this.#decoded.bytes;
  }

  get header(): Uint8Array {
    return this.#decoded.header;
  }

  get suite(): VerifyKey['suite'] {
    return this.#suite;
  }
}

/** A message whose signature holds under the key of the sender that it names. It may still be old. */
export type Authentic<T extends MessageType = MessageType> = AuthenticMessage<Extract<Message, MessageOf<T>>>;

/** Second step of trust (P 4.6): over the bytes that arrived, with the key of the named sender. */
export function authenticate(decoded: Decoded, key: VerifyKey): Result<Authentic, AuthCode> {
  const { least, most } = SUITES[key.suite].signatureBytes;
  const { length } = decoded.signature;
  // Empty and odd lengths never reach the cryptography.
  if (length < least || length > most) return reject('AUTH_SIGNATURE');
  if (!key.verify(decoded.signedBytes(), decoded.signature)) return reject('AUTH_SIGNATURE');
  return accept(new AuthenticMessage(decoded.message, decoded, key.suite) as Authentic);
}
