import { accept, reject, type ReplayCode, type Result } from '../faults.ts';
import { MAX_SEQUENCE_JUMP, REPLAY_WINDOW } from '../limits.ts';
import { isJoinAnswer, isJoinRequest, type MessageType } from '../message/layouts.ts';
import type { Message, MessageOf } from '../message/message.ts';
import { tokenKey } from '../token.ts';
import type { Authorised } from './authentic.ts';
import type { ReplayWindow } from './peer.ts';

const MASK = (1n << BigInt(REPLAY_WINDOW + 1)) - 1n;

/**
 * The window after this number, or why the number is refused (P 5.2). `mayJump`: the message belongs to a join.
 * `sent`: the last number sent to that peer. Both directions share the counter (P 5.1), so a jump is measured from the
 * higher of both.
 *
 * @example
 * advance(EMPTY_WINDOW, 1n, false, 0n); // { ok: true, value: { highest: 1n, seen: 3n } }
 */
export function advance(
  window: ReplayWindow,
  sequence: bigint,
  mayJump: boolean,
  sent: bigint,
): Result<ReplayWindow, ReplayCode> {
  const ahead = sequence - window.highest;
  if (ahead > 0n) {
    // A stolen key could otherwise exhaust the counter in one message.
    const known = sent > window.highest ? sent : window.highest;
    if (sequence - known > MAX_SEQUENCE_JUMP && !mayJump) return reject('REPLAY_JUMP');
    const kept = ahead > BigInt(REPLAY_WINDOW) ? 0n : (window.seen << ahead) & MASK;
    return accept({ highest: sequence, seen: kept | 1n });
  }
  if (-ahead > BigInt(REPLAY_WINDOW)) return reject('REPLAY_OLD');
  const bit = 1n << -ahead;
  if ((window.seen & bit) !== 0n) return reject('REPLAY_SEEN');
  return accept({ highest: window.highest, seen: window.seen | bit });
}

/** Not exported as a value: only `freshen` makes one. */
class FreshMessage<M extends Message = Message> {
  readonly message: M;
  readonly bytes: Uint8Array;
  readonly header: Uint8Array;
  /** Commit it together with what the message changes (P 5.3). */
  readonly window: ReplayWindow;
  readonly #fresh = true as boolean;

  constructor(message: M, bytes: Uint8Array, header: Uint8Array, window: ReplayWindow) {
    this.message = message;
    this.bytes = bytes;
    this.header = header;
    this.window = window;
  }

  /** Narrows to one type of message. */
  is<T extends MessageType>(type: T): this is Fresh<T> {
    return this.#fresh && this.message.type === type;
  }
}

/** A message that has earned the right to act: proven sender, right direction, never seen before. */
export type Fresh<T extends MessageType = MessageType> = FreshMessage<Extract<Message, MessageOf<T>>>;

/** The last step (P 4.6). Only now the number counts, so an unproven message can't use one up. */
export function freshen({ authentic, numbers }: Authorised): Result<Fresh, ReplayCode> {
  const { message } = authentic;
  // Without the token, the answer to a sibling's join would move our window next to the sibling's.
  const isAwaited = isJoinAnswer(message.type) && tokenKey(message.token) === numbers.joinToken;
  const mayJump = isJoinRequest(message.type) || isAwaited;
  const next = advance(numbers.window, message.sequence, mayJump, numbers.sent);
  if (!next.ok) return next;
  return accept(new FreshMessage(message, authentic.bytes, authentic.header, next.value) as Fresh);
}
