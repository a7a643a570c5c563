import { accept, reject, type AuthCode, type Result } from '../faults.ts';
import type { Decoded } from '../message/envelope.ts';
import type { MessageType } from '../message/layouts.ts';
import type { Message, MessageOf } from '../message/message.ts';
import type { Admitted } from './admit.ts';
import type { Numbers } from './peer.ts';
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

/** A message whose signature holds under the key of the sender that it names. It can still be old. */
export type Authentic<T extends MessageType = MessageType> = AuthenticMessage<Extract<Message, MessageOf<T>>>;

/**
 * Checks the signature over the bytes that arrived (P 2.3). To check evidence, this is the only step: evidence can be
 * old.
 *
 * @example
 * const decoded = decode(bytes);
 * if (decoded.ok && authenticate(decoded.value, key).ok) count++;
 */
export function authenticate(decoded: Decoded, key: VerifyKey): Result<Authentic, AuthCode> {
  const isGenuine = hasItsLength(decoded, key) && key.verify(decoded.signedBytes(), decoded.signature);
  return authenticIf(isGenuine, decoded, key);
}

/** Empty and odd lengths never reach the cryptography. */
function hasItsLength({ signature }: Decoded, { suite }: VerifyKey): boolean {
  const { least, most } = SUITES[suite].signatureBytes;
  return signature.length >= least && signature.length <= most;
}

function authenticIf(isGenuine: boolean, decoded: Decoded, key: VerifyKey): Result<Authentic, AuthCode> {
  if (!isGenuine) return reject('AUTH_SIGNATURE');
  return accept(new AuthenticMessage(decoded.message, decoded, key.suite) as Authentic);
}

/** Not exported as a value: only `authorise` makes one. */
class AuthorisedMessage {
  readonly #authentic: Authentic;
  /** What is known of the sender's numbers. */
  readonly numbers: Numbers;

  constructor(authentic: Authentic, numbers: Numbers) {
    this.#authentic = authentic;
    this.numbers = numbers;
  }

  get authentic(): Authentic {
    return this.#authentic;
  }
}

/** A message that its sender signed and is allowed to say to us. It can still be old. */
export type Authorised = AuthorisedMessage;

/** Checks the signature, and only then whether a genuine message of this type is obeyed (P 4.6). */
export function authorise(admitted: Admitted): Result<Authorised, AuthCode> {
  const { decoded, peer } = admitted;
  return authorisedIf(authenticate(decoded, peer.key), admitted);
}

/** The same, with the signature verified off the calling thread where that takes less of its time. */
export async function authoriseAside(admitted: Admitted): Promise<Result<Authorised, AuthCode>> {
  const { decoded, peer } = admitted;
  const { key } = peer;
  const isGenuine =
    hasItsLength(decoded, key) && (await key.verifyAside(decoded.signedBytes(), decoded.signature));
  return authorisedIf(authenticIf(isGenuine, decoded, key), admitted);
}

function authorisedIf(
  authentic: Result<Authentic, AuthCode>,
  { decoded, peer }: Admitted,
): Result<Authorised, AuthCode> {
  if (!authentic.ok) return authentic;
  const forbidden = peer.forbids(decoded.message.type);
  return forbidden === undefined ? accept(new AuthorisedMessage(authentic.value, peer)) : reject(forbidden);
}
