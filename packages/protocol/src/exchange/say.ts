import type { FlowCode } from '../faults.ts';
import type { BodyOf, MessageType } from '../message/layouts.ts';
import type { StatusCode } from '../message/status.ts';
import type { Draft } from '../outbound.ts';
import { tokenOfKey, type TokenKey } from '../token.ts';
import type { SendEffect, Step } from './step.ts';

/** The effect that sends a message. */
export function say<T extends MessageType>(type: T, token: TokenKey, body: BodyOf<T>): SendEffect {
  return { do: 'send', draft: { type, token: tokenOfKey(token), body } as unknown as Draft };
}

/** The effect that sends a RESPONSE. It carries the token of what it answers (P 6.3). */
export function respond(token: TokenKey, status: StatusCode): SendEffect {
  return say('RESPONSE', token, { status });
}

/** A step that has no effect. */
export function unchanged<State>(state: State): Step<State, never> {
  return { state, effects: [] };
}

/** A step that refuses a genuine, fresh message. The refusal can still have effects, such as an answer. */
export function refuse<State, Effect = never>(
  state: State,
  refused: FlowCode,
  ...effects: readonly Effect[]
): Step<State, Effect> {
  return { state, effects, refused };
}
