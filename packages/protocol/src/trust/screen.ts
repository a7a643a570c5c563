import { accept, reject, type AuthCode, type Result } from '../faults.ts';
import type { Decoded } from '../message/envelope.ts';
import { isDormant, isReceivedBy } from '../message/layouts.ts';
import type { Message } from '../message/message.ts';
import type { Topic } from '../topics.ts';
import type { Receiver } from './peer.ts';

/** Not exported as a value: only `screenDecoded` makes one. */
class ScreenedMessage {
  readonly #decoded: Decoded;
  /** Where it came from. Whether that is right for its sender is judged when the sender is known. */
  readonly topic: Topic;
  readonly receiver: Receiver;

  constructor(decoded: Decoded, topic: Topic, receiver: Receiver) {
    this.#decoded = decoded;
    this.topic = topic;
    this.receiver = receiver;
  }

  get decoded(): Decoded {
    return this.#decoded;
  }

  /** What it says, and whom it names as its sender; nothing proves either yet. */
  get message(): Message {
    return this.#decoded.message;
  }
}

/** A message from somebody else, of a type that reaches this role. It is worth looking its sender up. */
export type Screened = ScreenedMessage;

/**
 * Checks what needs nothing but the message: is it our own, and does its type ever reach us (P 3.1, 3.3, 5.5)? The
 * way in for a transport whose form is not the binary one (P 11.1); others call `screen`.
 *
 * @example
 * const decoded = fromJsonForm(JSON.parse(text));
 * if (decoded.ok) screenDecoded(decoded.value, { kind: 'device', device }, { role: 'server', self });
 */
export function screenDecoded(
  decoded: Decoded,
  topic: Topic,
  receiver: Receiver,
): Result<Screened, AuthCode> {
  const { type, sender } = decoded.message;
  if (sender === receiver.self) return reject('AUTH_OWN'); // P 5.5
  if (isDormant(type)) return reject('AUTH_DORMANT'); // P 3.1
  if (!isReceivedBy(type, receiver.role)) return reject('AUTH_DIRECTION'); // P 3.3
  return accept(new ScreenedMessage(decoded, topic, receiver));
}
