/**
 * The path of every message that arrives, in the order of P 4.6. Each step takes what only the step before it can
 * make: `Uint8Array -> Decoded -> Screened -> Admitted -> Authorised -> Fresh`. Exchanges take only `Fresh`, so code
 * that leaves out a step does not compile. Nothing is kept from a message that a step refused.
 *
 * The path has two halves, because a server reads its database between them. `screen` needs only the message.
 * `receive` needs what is known of the sender.
 */
import { reject, type AuthCode, type Rejected, type Result, type WireCode } from './faults.ts';
import type { Identity } from './identity.ts';
import { decode } from './message/envelope.ts';
import type { MessageType } from './message/layouts.ts';
import { parseTopic } from './topics.ts';
import { admit } from './trust/admit.ts';
import { authorise, authoriseAside } from './trust/authentic.ts';
import type { Peer, Receiver } from './trust/peer.ts';
import { freshen, type Fresh } from './trust/replay.ts';
import { screenDecoded, type Screened } from './trust/screen.ts';

/** A message as a transport delivers it. */
export interface Arrival {
  readonly topic: string;
  readonly bytes: Uint8Array;
  /** The broker kept it and gave it to a new subscriber, so its age is unknown (P 7.1). */
  readonly retained: boolean;
}

/** A refusal before the sender was looked up. */
export interface ScreenedOut extends Rejected<WireCode | AuthCode> {
  /** What the message says of itself, if it could be read. Nothing proves it. */
  readonly claim?: { readonly sender: Identity; readonly type: MessageType };
}

/**
 * The first half: every check that needs no look-up and no cryptography. An echo of our own message ends here with
 * AUTH_OWN; whatever we publish on a device's topic comes back to us (P 5.5).
 *
 * @example
 * const screened = screen(arrival, { role: 'server', self });
 * if (!screened.ok) return refuse(screened.code);
 * const received = receive(screened.value, await findPeer(screened.value.message.sender));
 */
export function screen(
  { topic: name, bytes, retained }: Arrival,
  receiver: Receiver,
): { readonly ok: true; readonly value: Screened } | ScreenedOut {
  const topic = parseTopic(name);
  if (topic === undefined) return reject('AUTH_TOPIC');
  if (retained) return reject('AUTH_RETAINED');
  const decoded = decode(bytes); // size, edition, type, layout
  if (!decoded.ok) return decoded;
  const screened = screenDecoded(decoded.value, topic, receiver); // not our own; direction
  if (screened.ok) return screened;
  const { sender, type } = decoded.value.message;
  return { ...screened, claim: { sender, type } };
}

/**
 * The second half. `peer`: what is known of the sender that the message names; undefined if that is nothing. Commit
 * the window of the result together with what the message changes (P 5.3). TypeError: `peer` is not that sender.
 *
 * @example
 * const received = receive(screened, { id, key, window, sent, forbids: (type) => serverForbids(standing, type) });
 * if (received.ok) step(received.value);
 */
export function receive(screened: Screened, peer: Peer | undefined): Result<Fresh> {
  const admitted = admit(screened, peer); // known sender, right topic
  if (!admitted.ok) return admitted;
  const authorised = authorise(admitted.value); // signature, then: may it say this to us?
  if (!authorised.ok) return authorised;
  return freshen(authorised.value); // never seen before
}

/**
 * Does what `receive` does, but verifies the signature off the calling thread where that takes less of its time. It is
 * for an end that takes the messages of many senders. `peer` must stay as it is until this resolves: take the messages
 * of one sender one after the other, or two with the same number both pass (P 5.2).
 *
 * @example
 * const received = await lanes.run(sender, () => receiveAside(screened, peer));
 */
export async function receiveAside(screened: Screened, peer: Peer | undefined): Promise<Result<Fresh>> {
  const admitted = admit(screened, peer);
  if (!admitted.ok) return admitted;
  const authorised = await authoriseAside(admitted.value);
  if (!authorised.ok) return authorised;
  return freshen(authorised.value);
}
