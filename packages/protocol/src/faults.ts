/**
 * Every reason why a message is refused: one closed union, each code with one stage. The stage is the prefix of the
 * code. Operators, logs and metrics all use these names.
 */

/** Bytes that are no message (P 2.4, P 4.6 "size, edition, type"). */
export const WIRE_CODES = [
  'WIRE_TOO_LONG', // longer than the limit of the transport
  'WIRE_SHORT', // a field ends after the message does
  'WIRE_TRAILING', // bytes left over after the last field
  'WIRE_EDITION', // editions 2, 3, 4 and unknown version bytes (P 1.3)
  'WIRE_TYPE', // a type byte that names no message
  'WIRE_TOKEN_EMPTY',
  'WIRE_TOKEN_LONG', // over 255 bytes (P 6.1)
  'WIRE_TEXT', // a text field that is not UTF-8 (P 2.5)
  'WIRE_NUL', // a NUL other than the one that pySRUP appends (P 2.5)
  'WIRE_RESERVED', // reserved bytes that are not zero (P 3, SYNDICATED_C2_REQ)
  'WIRE_FORM', // the JSON form breaks its rules (P 11.1)
] as const;

/** A message whose sender may not say this to us (P 4.6 "direction, sender, topic, signature, authorised"). */
export const AUTH_CODES = [
  'AUTH_RETAINED', // retained by a broker: of unknown age (P 7.1)
  'AUTH_OWN', // our own message came back (P 5.5)
  'AUTH_DORMANT', // a dormant type or GENERIC (P 3.1)
  'AUTH_DIRECTION', // a type that this sender's role never sends to ours (P 3.3)
  'AUTH_SENDER', // no key is known for the sender
  'AUTH_TOPIC', // topic and sender disagree (P 7.4)
  'AUTH_SIGNATURE',
  'AUTH_SERVER', // genuine, but not the server that this device obeys (P 9.7)
  'AUTH_STATE', // genuine, but this peer's standing forbids it (not joined, revoked...)
] as const;

/** A genuine message that is not fresh (P 5.2). */
export const REPLAY_CODES = [
  'REPLAY_SEEN', // this very number was accepted before
  'REPLAY_OLD', // below the window
  'REPLAY_JUMP', // over 2^32 above the highest, outside a join
] as const;

/** A fresh message that does not fit its exchange. */
export const FLOW_CODES = [
  'FLOW_TOKEN', // answers no open transaction with this peer (P 6.3)
  'FLOW_FINISHED', // the transaction is over (P 6.4)
  'FLOW_TOKEN_AGE', // a UUIDv7 token older than the limit (P 6.2)
  'FLOW_CONFLICT', // a known token with another content
  'FLOW_STATE', // the exchange is in a state that does not allow this (P 10.3)
  'FLOW_STATUS', // a status byte that does not answer this exchange
  'FLOW_URL', // not an https URL, or not an allowed one (P 10.2)
  'FLOW_DIGEST', // not 64 lower-case hex digits (P 2.6)
  'FLOW_TARGET', // the id inside is not the one that is meant (P 9.7)
  'FLOW_LIMIT', // too many open exchanges with this peer
  'FLOW_SEAL', // a sealed field that does not open: one code for every cause (P 4.3)
  'FLOW_UNSUPPORTED', // an exchange that this peer does not support
] as const;

/** The system below failed. Nothing was changed. */
export const EFFECT_CODES = [
  'EFFECT_STORE', // state could not be committed; the transport is not told "received"
] as const;

export type WireCode = (typeof WIRE_CODES)[number];
export type AuthCode = (typeof AUTH_CODES)[number];
export type ReplayCode = (typeof REPLAY_CODES)[number];
export type FlowCode = (typeof FLOW_CODES)[number];
export type EffectCode = (typeof EFFECT_CODES)[number];
export type FaultCode = WireCode | AuthCode | ReplayCode | FlowCode | EffectCode;
export type Stage = 'wire' | 'auth' | 'replay' | 'flow' | 'effect';

/** A refusal as a value. `offset`: where in the bytes, for people who inspect them. */
export interface Rejected<Code extends FaultCode = FaultCode> {
  readonly ok: false;
  readonly code: Code;
  readonly stage: Stage;
  readonly offset?: number;
}

export interface Accepted<Value> {
  readonly ok: true;
  readonly value: Value;
}

export type Result<Value, Code extends FaultCode = FaultCode> = Accepted<Value> | Rejected<Code>;

/** Wraps a value that a check let through. */
export function accept<Value>(value: Value): Accepted<Value> {
  return { ok: true, value };
}

/**
 * Makes a refusal. `offset`: the place in the bytes that is wrong.
 *
 * @example
 * reject('WIRE_SHORT', 20); // { ok: false, code: 'WIRE_SHORT', stage: 'wire', offset: 20 }
 */
export function reject<Code extends FaultCode>(code: Code, offset?: number): Rejected<Code> {
  return offset === undefined
    ? { ok: false, code, stage: stageOf(code) }
    : { ok: false, code, stage: stageOf(code), offset };
}

/**
 * The stage of a code: its prefix in lower case.
 *
 * @example
 * stageOf('REPLAY_SEEN'); // 'replay'
 */
export function stageOf(code: FaultCode): Stage {
  return code.slice(0, code.indexOf('_')).toLowerCase() as Stage;
}
