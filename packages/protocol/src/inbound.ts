/**
 * The way of every message that arrives, in the order of P 4.6. Each step takes what only the step before it can
 * make: `Uint8Array -> Decoded -> Admitted -> Authentic -> Fresh`. What acts on a message (exchange/) takes `Fresh`,
 * so leaving a step out does not compile. Nothing is kept from a message that a step refused.
 */
import { accept, reject, type AuthCode, type Result } from './faults.ts';
import type { Identity } from './identity.ts';
import { decode, type Decoded } from './message/envelope.ts';
import { isDormant, isJoinRequest, isReceivedBy, type MessageType, type Role } from './message/layouts.ts';
import { authenticate } from './security/authentic.ts';
import { freshen, type Fresh, type Numbers } from './security/replay.ts';
import type { VerifyKey } from './security/suite.ts';
import type { Topic } from './topics.ts';

/** What a transport hands over. */
export interface Arrival {
  readonly bytes: Uint8Array;
  readonly topic: Topic;
  /** Kept by a broker and given to a new subscriber: of unknown age (P 7.1). */
  readonly retained: boolean;
}

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

/** All steps in order. */
export function receive(arrival: Arrival, receiver: Receiver): Result<Fresh> {
  if (arrival.retained) return reject('AUTH_RETAINED');
  const decoded = decode(arrival.bytes);
  if (!decoded.ok) return decoded;
  return receiveDecoded(decoded.value, arrival.topic, receiver);
}

/** The same from the second step on: for a transport whose form is not the binary one (P 11.1). */
export function receiveDecoded(decoded: Decoded, topic: Topic, receiver: Receiver): Result<Fresh> {
  const admitted = admit(decoded, topic, receiver);
  if (!admitted.ok) return admitted;
  const peer = admitted.value;
  const authentic = authenticate(decoded, peer.key);
  if (!authentic.ok) return authentic;
  const forbidden = peer.forbids(decoded.message.type);
  if (forbidden !== undefined) return reject(forbidden);
  return freshen(authentic.value, peer);
}

/** Checks that cost nothing come before the cryptography: type and direction, known sender, right topic. */
function admit(decoded: Decoded, topic: Topic, receiver: Receiver): Result<Peer, AuthCode> {
  const { type, sender } = decoded.message;
  if (sender === receiver.self) return reject('AUTH_OWN'); // P 5.5
  if (isDormant(type)) return reject('AUTH_DORMANT'); // P 3.1
  if (!isReceivedBy(type, receiver.role)) return reject('AUTH_DIRECTION'); // P 3.3
  const peer = receiver.peer(sender);
  if (peer === undefined) return reject('AUTH_SENDER');
  return isRightTopic(type, sender, topic, receiver) ? accept(peer) : reject('AUTH_TOPIC');
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
