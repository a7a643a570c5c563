import { accept, reject, type AuthCode, type Result } from '../faults.ts';
import type { Decoded } from '../message/envelope.ts';
import { isDormant, isReceivedBy } from '../message/layouts.ts';
import type { Message } from '../message/message.ts';
import type { Topic } from '../topics.ts';
import type { Receiver } from './peer.ts';

/** Not exported as a value: only `screenDecoded` makes one. */
class ScreenedMessage {
  readonly #decoded: Decoded;
  /** Where it came from. `admit` checks whether that is the right topic for its sender. */
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

  /** What it says and whom it names as its sender. Nothing proves either yet. */
  get message(): Message {
    return this.#decoded.message;
  }
}

/** A message from somebody else, of a type that can reach this role. It is worth a look-up of its sender. */
export type Screened = ScreenedMessage;

/**
 * Checks that the message is not our own and that its type can reach us (P 3.1, 3.3, 5.5). A transport whose form is
 * not the binary one enters here (P 11.1); every other one calls `screen`.
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
