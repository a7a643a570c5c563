/** The server's side of an action (P 10.5). */
import { STATUS } from '../../message/status.ts';
import type { TokenKey } from '../../token.ts';
import type { ServerAction } from '../server-exchange.ts';
import type { ServerFacts, ServerStep } from '../server-step.ts';
import type { Moment } from '../step.ts';
import { ACTION_RETRY } from '../retry.ts';
import { refuse, say, unchanged } from '../say.ts';
import { answerLate, expire, keepAsking, settle, waiting } from '../settle.ts';

const PHASE_OF: ReadonlyMap<number, ServerAction['phase']> = new Map([
  [STATUS.ACTION_SUCCESS, 'done'],
  [STATUS.ACTION_UNKNOWN, 'unknown'],
  [STATUS.ACTION_FAIL, 'failed'],
]);

export function openAction(
  actionId: number,
  token: TokenKey,
  moment: Moment,
  facts: ServerFacts,
): ServerStep {
  const { confirms } = facts;
  const base = { token, openedAt: moment.now, attempts: 0 };
  return sendAction({ ...base, kind: 'action', phase: 'sent', actionId, confirms }, moment);
}

function sendAction(action: ServerAction, moment: Moment): ServerStep {
  const sent = waiting(action, ACTION_RETRY, moment);
  const state = action.confirms ? sent : settle(sent, 'unconfirmed'); // P 10.7
  return { state, effects: [say('ACTION', action.token, { actionId: action.actionId })] };
}

export function answerAction(action: ServerAction, status: number): ServerStep {
  if (action.phase !== 'sent' && action.phase !== 'unconfirmed') {
    return answerLate(action, status, [...PHASE_OF.keys()]);
  }
  const phase = PHASE_OF.get(status);
  return phase === undefined ? refuse(action, 'FLOW_STATUS') : unchanged(settle(action, phase, status));
}

export function wakeAction(action: ServerAction, moment: Moment): ServerStep {
  if (action.phase !== 'sent') return unchanged(action);
  return keepAsking(action, ACTION_RETRY, action.openedAt, moment, sendAction, expire);
}
