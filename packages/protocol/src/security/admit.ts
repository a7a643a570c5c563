import { accept, reject, type AuthCode, type Result } from '../faults.ts';
import type { Identity } from '../identity.ts';
import type { Decoded } from '../message/envelope.ts';
import { isDormant, isJoinRequest, isReceivedBy, type MessageType, type Role } from '../message/layouts.ts';
import type { Topic } from '../topics.ts';
import type { Numbers } from './replay.ts';
import type { VerifyKey } from './suite.ts';

/** What the receiver knows of a sender. */
export interface Peer extends Numbers {
  readonly key: VerifyKey;
  /** Why a genuine message of this type is still not obeyed (P 4.6 "authorised"); undefined when it is. */
  forbids(type: MessageType): AuthCode | undefined;
}

export interface Receiver {
  readonly role: Role;
  readonly self: Identity;
  /** Undefined for a sender whose key is not known. */
  peer(sender: Identity): Peer | undefined;
}

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

/** A message of a type that this sender may send to us, on the right topic, if it is from that sender. */
export type Admitted = AdmittedMessage;

/** Checks that cost nothing come before the cryptography: type and direction, known sender, right topic (P 4.6). */
export function admit(decoded: Decoded, topic: Topic, receiver: Receiver): Result<Admitted, AuthCode> {
  const { type, sender } = decoded.message;
  if (sender === receiver.self) return reject('AUTH_OWN'); // P 5.5
  if (isDormant(type)) return reject('AUTH_DORMANT'); // P 3.1
  if (!isReceivedBy(type, receiver.role)) return reject('AUTH_DIRECTION'); // P 3.3
  const peer = receiver.peer(sender);
  if (peer === undefined) return reject('AUTH_SENDER');
  if (!isRightTopic(type, sender, topic, receiver)) return reject('AUTH_TOPIC');
  return accept(new AdmittedMessage(decoded, peer));
}

/**
 * P 7.2, 7.4. A device's message names its sender in the last level of the topic, so a device can't speak on a
 * sibling's topic; a server's message is judged by its own id, on the topic of the device that it speaks to.
 */
function isRightTopic(type: MessageType, sender: Identity, topic: Topic, receiver: Receiver): boolean {
  if (receiver.role === 'device') return topic.kind === 'device' && topic.device === receiver.self;
  if (topic.device !== sender) return false;
  return isJoinRequest(type)
    ? topic.kind === 'join' && topic.server === receiver.self
    : topic.kind === 'device';
}
