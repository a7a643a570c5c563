/**
 * The way of every message that arrives, in the order of P 4.6. Each step takes what only the step before it can
 * make: `Uint8Array -> Decoded -> Admitted -> Authorised -> Fresh`. What acts on a message (exchange/) takes `Fresh`,
 * so leaving a step out does not compile. Nothing is kept from a message that a step refused.
 */
import { reject, type Result } from './faults.ts';
import { decode, type Decoded } from './message/envelope.ts';
import { admit, type Receiver } from './security/admit.ts';
import { authorise } from './security/authentic.ts';
import { freshen, type Fresh } from './security/replay.ts';
import type { Topic } from './topics.ts';

/** What a transport hands over. */
export interface Arrival {
  readonly bytes: Uint8Array;
  readonly topic: Topic;
  /** Kept by a broker and given to a new subscriber: of unknown age (P 7.1). */
  readonly retained: boolean;
}

/** All steps in order. */
export function receive(arrival: Arrival, receiver: Receiver): Result<Fresh> {
  if (arrival.retained) return reject('AUTH_RETAINED');
  const decoded = decode(arrival.bytes); // size, edition, type, layout
  if (!decoded.ok) return decoded;
  return receiveDecoded(decoded.value, arrival.topic, receiver);
}

/** The same from the second step on: for a transport whose form is not the binary one (P 11.1). */
export function receiveDecoded(decoded: Decoded, topic: Topic, receiver: Receiver): Result<Fresh> {
  const admitted = admit(decoded, topic, receiver); // direction, known sender, right topic
  if (!admitted.ok) return admitted;
  const authorised = authorise(admitted.value); // signature, then: may it say this to us?
  if (!authorised.ok) return authorised;
  return freshen(authorised.value); // never seen before
}
