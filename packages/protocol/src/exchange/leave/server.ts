/** The server's side of leaving, whether the device or the server wants it (P 10.8). */
import { STATUS, type StatusCode } from '../../message/status.ts';
import type { TokenKey } from '../../token.ts';
import type { ServerLeave, Standing } from '../server-exchange.ts';
import type { ServerEffect, ServerFacts, ServerStep } from '../server-step.ts';
import type { Moment } from '../step.ts';
import { LEAVE_ONCE, LEAVE_RETRY } from '../retry.ts';
import { refuse, respond, say, unchanged } from '../say.ts';
import { answerLate, keepAsking, settle, waiting } from '../settle.ts';

type What = ServerLeave['what'];

const SUCCESS: Readonly<Record<What, StatusCode>> = {
  resign: STATUS.RESIGN_SUCCESS,
  terminate: STATUS.RESIGN_SUCCESS,
  deregister: STATUS.DEREGISTER_SUCCESS,
};
const FAIL: Readonly<Record<What, StatusCode>> = {
  resign: STATUS.RESIGN_FAIL,
  terminate: STATUS.RESIGN_FAIL,
  deregister: STATUS.DEREGISTER_FAIL,
};
function stand(standing: Standing): ServerEffect {
  return { do: 'stand', standing };
}

/**
 * Dismisses a device. It is out at once. It stands as deregistered only after it has heard of that, or never will: its
 * certificate and session end then, and with them the way to tell it.
 */
export function openDismissal(
  what: 'terminate' | 'deregister',
  token: TokenKey,
  moment: Moment,
  facts: ServerFacts,
): ServerStep {
  const { confirms } = facts;
  const base = { token, openedAt: moment.now, attempts: 0 };
  const { state, effects } = sendDismissal(
    { ...base, kind: 'leave', phase: 'sent', what, by: 'server', confirms },
    moment,
  );
  return { state, effects: [...effects, stand('terminated')] };
}

function sendDismissal(leave: ServerLeave, moment: Moment): ServerStep {
  const type = leave.what === 'deregister' ? 'DEREGISTER_CMD' : 'TERMINATE_CMD';
  return { state: waiting(leave, policyOf(leave), moment), effects: [say(type, leave.token, {})] };
}

function policyOf({ confirms }: ServerLeave) {
  return confirms ? LEAVE_RETRY : LEAVE_ONCE;
}

/** Whatever the device answers, the server's decision holds. */
function finish(leave: ServerLeave, phase: ServerLeave['phase'], status?: number): ServerStep {
  const last = leave.what === 'deregister' ? [stand('deregistered')] : [];
  return { state: settle(leave, phase, status), effects: last };
}

export function answerLeave(leave: ServerLeave, status: number): ServerStep {
  const family = [SUCCESS[leave.what], FAIL[leave.what]];
  if (leave.by === 'device') return refuse(leave, 'FLOW_STATUS');
  if (leave.phase !== 'sent' && leave.phase !== 'unconfirmed') return answerLate(leave, status, family);
  switch (status) {
    case SUCCESS[leave.what]:
      return finish(leave, 'left', status);
    case FAIL[leave.what]:
      return finish(leave, 'failed', status);
    default:
      return refuse(leave, 'FLOW_STATUS');
  }
}

export function wakeLeave(leave: ServerLeave, moment: Moment): ServerStep {
  if (leave.phase !== 'sent') return unchanged(leave);
  return keepAsking(leave, policyOf(leave), leave.openedAt, moment, sendDismissal, (last) =>
    finish(last, last.confirms ? 'expired' : 'unconfirmed'),
  );
}

/** Takes RESIGN_REQUEST and DEREGISTER_REQ. A device can always leave. The answer leaves before the session ends. */
export function letGo(
  what: 'resign' | 'deregister',
  token: TokenKey,
  moment: Moment,
  facts: ServerFacts,
): ServerStep {
  const status = SUCCESS[what];
  const state: ServerLeave = {
    kind: 'leave',
    phase: 'left',
    what,
    by: 'device',
    confirms: facts.confirms,
    token,
    openedAt: moment.now,
    attempts: 0,
    status,
  };
  const answer = respond(token, status);
  if (what === 'deregister') return { state, effects: [answer, stand('deregistered')] };
  // A device that was dismissed before does not become one that resigned.
  return { state, effects: facts.joined ? [answer, stand('resigned')] : [answer] };
}

export function letGoAgain(leave: ServerLeave, what: 'resign' | 'deregister'): ServerStep {
  if (leave.by !== 'device' || leave.what !== what) return refuse(leave, 'FLOW_CONFLICT');
  return { state: leave, effects: [respond(leave.token, SUCCESS[what])] };
}
