import { accept, reject, type AuthCode, type Result } from '../faults.ts';
import type { Decoded } from '../message/envelope.ts';
import { isJoinRequest } from '../message/layouts.ts';
import type { Peer } from './peer.ts';
import type { Screened } from './screen.ts';

/** Not exported as a value: only `admit` makes one. */
class AdmittedMessage {
  readonly #decoded: Decoded;
  /** Whom the message names as its sender; nothing proves it yet. */
  readonly peer: Peer;

  constructor(decoded: Decoded, peer: Peer) {
    this.#decoded = decoded;
    this.peer = peer;
  }

  get decoded(): Decoded {
    return this.#decoded;
  }
}

/** A message of a type that its sender may send to us, on the right topic, if it is from that sender. */
export type Admitted = AdmittedMessage;

/**
 * Checks that the sender is known and that this is its topic (P 4.6). Neither costs cryptography. TypeError: `peer` is
 * not the sender that the message names.
 */
export function admit(screened: Screened, peer: Peer | undefined): Result<Admitted, AuthCode> {
  if (peer === undefined) return reject('AUTH_SENDER');
  // Spoofing: the key of one peer would prove the claim of another. Only a mistake of the program leads here.
  if (peer.id !== screened.message.sender) {
    throw new TypeError('the message was to be judged by what is known of another sender');
  }
  if (!isRightTopic(screened)) return reject('AUTH_TOPIC');
  return accept(new AdmittedMessage(screened.decoded, peer));
}

/**
 * P 7.2, 7.4. A device's message names its sender in the last level of the topic, so a device can't speak on a
 * sibling's topic; a server's message is judged by its own id, on the topic of the device that it speaks to.
 */
function isRightTopic({ message: { type, sender }, topic, receiver }: Screened): boolean {
  if (receiver.role === 'device') return topic.kind === 'device' && topic.device === receiver.self;
  if (topic.device !== sender) return false;
  return isJoinRequest(type)
    ? topic.kind === 'join' && topic.server === receiver.self
    : topic.kind === 'device';
}
