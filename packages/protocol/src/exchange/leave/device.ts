/** The device's side of leaving, by its own will or the server's (P 10.8). */
import { STATUS, type StatusCode } from '../../message/status.ts';
import type { TokenKey } from '../../token.ts';
import type { DeviceEffect, DeviceFacts } from '../device-step.ts';
import type { DeviceJoin, DeviceLeave, Finished } from '../device-state.ts';
import type { Moment } from '../step.ts';
import { finish, isLeaving, open, recall, type WorkingState, type WorkingStep } from '../memory.ts';
import { judge, LEAVE_RETRY, nextTry } from '../retry.ts';
import { refuse, respond, say, unchanged } from '../say.ts';
import { forgetUnbegun } from '../update/device.ts';

type What = DeviceLeave['what'];
type Identity = 'keep' | 'drop';

const REQUEST = { resign: 'RESIGN_REQUEST', deregister: 'DEREGISTER_REQ' } as const;
const SUCCESS: Readonly<Record<What, StatusCode>> = {
  resign: STATUS.RESIGN_SUCCESS,
  deregister: STATUS.DEREGISTER_SUCCESS,
};
const FAIL: Readonly<Record<What, StatusCode>> = {
  resign: STATUS.RESIGN_FAIL,
  deregister: STATUS.DEREGISTER_FAIL,
};
const IDENTITY_AFTER: Readonly<Record<What, Identity>> = { resign: 'keep', deregister: 'drop' };

/** The device asks to leave, after the answer to a join that it waits for. Nothing happens while it asks already. */
export function leave(
  state: WorkingState,
  token: TokenKey,
  what: What,
  moment: Moment,
  facts: DeviceFacts,
): WorkingStep {
  if (isLeaving(state) || state.join.identity === 'drop') return unchanged(state);
  return ask(
    state,
    token,
    { kind: 'leave', phase: 'asked', what, openedAt: moment.now, attempts: 0, wakeAt: 0 },
    moment,
    facts,
  );
}

function ask(
  state: WorkingState,
  token: TokenKey,
  leaving: DeviceLeave,
  moment: Moment,
  facts: DeviceFacts,
): WorkingStep {
  const { what, attempts } = leaving;
  const wakeAt = nextTry(LEAVE_RETRY, attempts + 1, moment);
  const waiting = open(state, token, { ...leaving, attempts: attempts + 1, wakeAt });
  // JOIN_REQ and this request could overtake each other on their topics.
  if (state.join.phase === 'asking') return unchanged(waiting);
  const request = say(REQUEST[what], token, {});
  if (facts.serverSpeaksProfile === true) return { state: waiting, effects: [request] };
  // interop: pySRUP never answers a device that leaves, and its server ends for a device that it does not have (any more).
  const gone = go(end(waiting, token, what, 'unconfirmed', moment), IDENTITY_AFTER[what], moment);
  return { ...gone, effects: [...(state.join.phase === 'joined' ? [request] : []), ...gone.effects] };
}

/** The join that it waited for is answered: now the device asks to leave. */
export function leaveAfterJoin(state: WorkingState, moment: Moment, facts: DeviceFacts): WorkingStep {
  const [waiting] = Object.entries(state.open).flatMap(([token, exchange]) =>
    exchange.kind === 'leave' ? [{ token, exchange }] : [],
  );
  if (waiting === undefined || state.join.phase === 'asking') return unchanged(state);
  return ask(state, waiting.token, { ...waiting.exchange, attempts: 0 }, moment, facts);
}

export function leaveAnswered(
  state: WorkingState,
  token: TokenKey,
  { what }: DeviceLeave,
  status: number,
  moment: Moment,
): WorkingStep {
  switch (status) {
    case SUCCESS[what]:
      return go(end(state, token, what, 'left', moment), IDENTITY_AFTER[what], moment);
    case FAIL[what]:
      return unchanged(end(state, token, what, 'failed', moment));
    default:
      return refuse(state, 'FLOW_STATUS');
  }
}

/** The answer came again, as the request had been sent again. */
export function leaveAnsweredAgain(
  state: WorkingState,
  { content, result }: Finished,
  status: number,
): WorkingStep {
  const what = content as What;
  const same = status === (result === 'failed' ? FAIL[what] : SUCCESS[what]);
  return same ? unchanged(state) : refuse(state, 'FLOW_FINISHED');
}

/** A device can leave without an answer: its server may be gone. */
export function wakeLeave(
  state: WorkingState,
  token: TokenKey,
  leaving: DeviceLeave,
  moment: Moment,
  facts: DeviceFacts,
): WorkingStep {
  switch (judge(leaving, LEAVE_RETRY, leaving.openedAt, moment)) {
    case 'wait':
      return unchanged(state);
    case 'again':
      return ask(state, token, leaving, moment, facts);
    case 'over':
      return go(end(state, token, leaving.what, 'unconfirmed', moment), IDENTITY_AFTER[leaving.what], moment);
  }
}

function end(state: WorkingState, token: TokenKey, what: What, result: string, moment: Moment): WorkingState {
  return finish(state, token, { kind: 'leave', result, content: what }, moment);
}

/**
 * TERMINATE_CMD and DEREGISTER_CMD: obeyed and answered, and the answer leaves first. A device that asks to join is
 * not joined: TERMINATE_CMD takes nothing from it, and the server will answer the join as it sees fit.
 */
export function dismissed(
  state: WorkingState,
  token: TokenKey,
  command: 'TERMINATE_CMD' | 'DEREGISTER_CMD',
  sequence: bigint,
  moment: Moment,
): WorkingStep {
  const identity = command === 'DEREGISTER_CMD' ? 'drop' : 'keep';
  const answer = identity === 'drop' ? STATUS.DEREGISTER_SUCCESS : STATUS.RESIGN_SUCCESS;
  const known = recall(state, token, 'leave', command);
  if (known.seen === 'over') return { state, effects: [respond(token, answer)] };
  if (known.seen !== 'never') return refuse(state, 'FLOW_CONFLICT');
  const remembered = finish(
    state,
    token,
    { kind: 'leave', result: 'left', answer, content: command },
    moment,
  );
  if (state.join.phase === 'asking' && identity === 'keep') {
    const join: DeviceJoin = { ...state.join, dismissedAt: String(sequence) };
    return { state: { ...remembered, join }, effects: [respond(token, answer)] };
  }
  const gone = go(remembered, identity, moment);
  return { ...gone, effects: [respond(token, answer), ...gone.effects] };
}

/** A join that was asked for is over: a late "accepted" must not undo the dismissal. */
function forgetJoin(state: WorkingState, moment: Moment): WorkingState {
  const { phase, token } = state.join;
  if (phase !== 'asking' || token === undefined) return state;
  return finish(state, token, { kind: 'join', result: 'left', content: '' }, moment);
}

/** An identity that was given up stays so. */
function go(state: WorkingState, identity: Identity, moment: Moment): WorkingStep {
  const left: DeviceJoin = {
    phase: 'left',
    attempts: 0,
    identity: state.join.identity === 'drop' ? 'drop' : identity,
  };
  const over = forgetUnbegun(forgetJoin(state, moment), moment);
  return { state: { ...over, join: left }, effects: owed(left) };
}

/** What is to be done after leaving, and done again after a restart. */
export function owed({ phase, identity }: DeviceJoin): DeviceEffect[] {
  return phase === 'left' && identity !== undefined ? [{ do: 'leave', identity }] : [];
}
