import type { FlowCode } from '../faults.ts';
import type { BodyOf, MessageType } from '../message/layouts.ts';
import type { StatusCode } from '../message/status.ts';
import type { Draft } from '../outbound.ts';
import { tokenOfKey, type TokenKey } from '../token.ts';
import type { SendEffect, Step } from './step.ts';

export function say<T extends MessageType>(type: T, token: TokenKey, body: BodyOf<T>): SendEffect {
  return { do: 'send', draft: { type, token: tokenOfKey(token), body } as unknown as Draft };
}

/** A RESPONSE carries the token of what it answers (P 6.3). */
export function respond(token: TokenKey, status: StatusCode): SendEffect {
  return say('RESPONSE', token, { status });
}

export function unchanged<State>(state: State): Step<State, never> {
  return { state, effects: [] };
}

/** A genuine, fresh message that is not wanted; it may still be answered. */
export function refuse<State, Effect = never>(
  state: State,
  refused: FlowCode,
  ...effects: readonly Effect[]
): Step<State, Effect> {
  return { state, effects, refused };
}
