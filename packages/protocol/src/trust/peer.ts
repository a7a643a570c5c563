/** What a receiver knows of its peers. The steps of trust share these types and nothing else. */
import type { AuthCode } from '../faults.ts';
import type { Identity } from '../identity.ts';
import type { MessageType, Role } from '../message/layouts.ts';
import type { TokenKey } from '../token.ts';
import type { VerifyKey } from './suite.ts';

/**
 * Which numbers of a peer were accepted (P 5.2). A value: store it together with the state that the message led to (P
 * 5.3).
 */
export interface ReplayWindow {
  /** Highest accepted; 0 before the first. */
  readonly highest: bigint;
  /** Bit i: `highest - i` was accepted. `REPLAY_WINDOW` + 1 bits. */
  readonly seen: bigint;
}

/** The window before the first message. Number 0 counts as seen, because numbers begin at 1 (P 5). */
export const EMPTY_WINDOW: ReplayWindow = { highest: 0n, seen: 1n };

/** What is known of a peer's numbers. */
export interface Numbers {
  readonly window: ReplayWindow;
  /** Last number sent to this peer; 0 before the first. */
  readonly sent: bigint;
  /**
   * Token of our join request that this peer has not answered yet. That answer may jump (P 5.2), and no other message.
   */
  readonly joinToken?: TokenKey | undefined;
}

/** What the receiver knows of a sender. */
export interface Peer extends Numbers {
  /** Whose key and numbers these are. `admit` refuses to judge the message of another sender by them. */
  readonly id: Identity;
  readonly key: VerifyKey;
  /** Why a genuine message of this type is still not obeyed (P 4.6 "authorised"); undefined if it is obeyed. */
  forbids(type: MessageType): AuthCode | undefined;
}

/** The end that receives. */
export interface Receiver {
  readonly role: Role;
  readonly self: Identity;
}
