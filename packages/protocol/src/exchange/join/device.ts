/** The device's side of a simple join, and of the command to join (P 9.1, 9.5, 9.7). */
import type { Identity } from '../../identity.ts';
import { STATUS } from '../../message/status.ts';
import type { TokenKey } from '../../token.ts';
import type { DeviceFacts } from '../device-step.ts';
import type { DeviceJoin, Finished } from '../device-state.ts';
import type { Moment } from '../step.ts';
import { finish, isLeaving, recall, type WorkingState, type WorkingStep } from '../memory.ts';
import { isDue, JOIN_RETRY, nextTry } from '../retry.ts';
import { refuse, say, unchanged } from '../say.ts';

const PHASE_OF: ReadonlyMap<number, DeviceJoin['phase']> = new Map([
  [STATUS.JOIN_SUCCESS, 'joined'],
  [STATUS.JOIN_REFUSED, 'refused'],
  [STATUS.JOIN_FAIL, 'failed'],
]);

/**
 * Asks to join under a new token. Nothing happens while joined, asking or leaving (questions on the standing are
 * asked one after another, or they could overtake each other), or when the identity was given up.
 */
export function join(state: WorkingState, token: TokenKey, moment: Moment): WorkingStep {
  const { phase, identity } = state.join;
  if (phase === 'joined' || phase === 'asking' || identity === 'drop' || isLeaving(state))
    return unchanged(state);
  return ask(state, token, 1, moment);
}

/** Marks a JOIN_REQ that was sent while joined. */
const GREETING = 'greeting';

/**
 * The broker has lost our session, and with it what waited there for us. A JOIN_REQ while joined changes nothing
 * (P 9.5), but the server sees that we are here and asks again what is still open. One that does not speak this profile
 * would only decide on it anew (interop).
 */
export function greet(
  state: WorkingState,
  token: TokenKey,
  moment: Moment,
  { serverSpeaksProfile }: DeviceFacts,
): WorkingStep {
  if (serverSpeaksProfile !== true) return unchanged(state);
  if (state.join.phase !== 'joined' || isLeaving(state)) return unchanged(state);
  const answered = finish(state, token, { kind: 'join', result: 'joined', content: GREETING }, moment);
  return { state: answered, effects: [say('JOIN_REQ', token, {})] };
}

function ask(state: WorkingState, token: TokenKey, attempts: number, moment: Moment): WorkingStep {
  const { dismissedAt } = state.join;
  const asking: DeviceJoin = {
    phase: 'asking',
    token,
    attempts,
    wakeAt: nextTry(JOIN_RETRY, attempts, moment),
    ...(dismissedAt !== undefined && { dismissedAt }),
  };
  return { state: { ...state, join: asking }, effects: [say('JOIN_REQ', token, {})] };
}

/**
 * P 9.7. The id inside must be ours: the command could be meant for another device. It is obeyed even while joined,
 * as the server may have forgotten us; the JOIN_REQ carries the command's token.
 */
export function joinCommanded(
  state: WorkingState,
  token: TokenKey,
  deviceId: Identity,
  moment: Moment,
  self: Identity,
): WorkingStep {
  if (deviceId !== self) return refuse(state, 'FLOW_TARGET');
  const { phase, identity, token: asked } = state.join;
  if (phase === 'asking' && asked === token) return unchanged(state);
  const known = recall(state, token, 'join');
  if (known.seen === 'otherwise') return refuse(state, 'FLOW_CONFLICT');
  if (known.seen === 'over' || phase === 'asking') return unchanged(state);
  if (identity === 'drop' || isLeaving(state)) return refuse(state, 'FLOW_STATE');
  return ask(state, token, 1, moment);
}

export function joinAnswered(
  state: WorkingState,
  token: TokenKey,
  status: number,
  sequence: bigint,
  moment: Moment,
): WorkingStep {
  const phase = PHASE_OF.get(status);
  if (phase === undefined) return refuse(state, 'FLOW_STATUS');
  const { dismissedAt } = state.join;
  // Let in, and dismissed after that; but the second word came first.
  if (dismissedAt !== undefined && sequence < BigInt(dismissedAt)) return refuse(state, 'FLOW_STATE');
  const over: WorkingState = { ...state, join: { phase, attempts: 0 } };
  return unchanged(finish(over, token, { kind: 'join', result: phase, content: '' }, moment));
}

/** The answer came again, as JOIN_REQ had been sent again; or it is the answer to a greeting, which may be a no. */
export function joinAnsweredAgain(
  state: WorkingState,
  token: TokenKey,
  { result, content }: Finished,
  status: number,
  moment: Moment,
): WorkingStep {
  const phase = PHASE_OF.get(status);
  if (phase === result) return unchanged(state);
  if (phase === undefined || content !== GREETING || state.join.phase !== 'joined') {
    return refuse(state, 'FLOW_FINISHED');
  }
  const out: WorkingState = { ...state, join: { phase, attempts: 0 } };
  return unchanged(finish(out, token, { kind: 'join', result: phase, content }, moment));
}

export function wakeJoin(state: WorkingState, moment: Moment): WorkingStep {
  const { phase, token, attempts, wakeAt } = state.join;
  if (phase !== 'asking' || token === undefined || !isDue(wakeAt, moment)) return unchanged(state);
  return ask(state, token, attempts + 1, moment);
}
