import type { Identity } from '../identity.ts';
import type { BodyOf, MessageType } from './layouts.ts';

/** Version byte of the edition that acts (P 1.1). */
export const EDITION = 5;

/** A message as a value: what it says, without its proof. */
export interface MessageOf<T extends MessageType> {
  readonly type: T;
  /** 1 to 2^64-1 (P 5). */
  readonly sequence: bigint;
  readonly sender: Identity;
  /** One token is one transaction (P 6.1). */
  readonly token: Uint8Array;
  readonly body: BodyOf<T>;
  /** Names of the `cstring` fields that end with pySRUP's NUL on the wire (P 2.5). */
  readonly terminated?: readonly string[];
}

/** Every message, discriminated by `type`. */
export type Message = { [T in MessageType]: MessageOf<T> }[MessageType];
