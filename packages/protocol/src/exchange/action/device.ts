/** The device's side of an action: run at most once a token, whatever happens (P 10.5). */
import { STATUS, type StatusCode } from '../../message/status.ts';
import type { TokenKey } from '../../token.ts';
import { isTooOld } from '../age.ts';
import type { ActOutcome } from '../device-step.ts';
import type { DeviceAction } from '../device-state.ts';
import type { Moment } from '../step.ts';
import {
  contentOf,
  finish,
  hasRoom,
  open,
  openOf,
  recall,
  type WorkingState,
  type WorkingStep,
} from '../memory.ts';
import { ACTION_AGE_MS } from '../retry.ts';
import { refuse, respond, unchanged } from '../say.ts';

/** Proposed standard ids (P 10.5) that end the run of the device itself. */
const POWER_OFF = 0x03;
const REBOOT = 0x04;

const STATUS_OF: Readonly<Record<ActOutcome, StatusCode>> = {
  done: STATUS.ACTION_SUCCESS,
  unknown: STATUS.ACTION_UNKNOWN,
  failed: STATUS.ACTION_FAIL,
};

/** Is the token too old for its action to begin (P 6.2)? It may have waited here too long: nobody waits for it now. */
export function isActionStale(token: TokenKey, moment: Moment): boolean {
  return isTooOld(token, ACTION_AGE_MS, moment);
}

export function act(state: WorkingState, token: TokenKey, actionId: number, moment: Moment): WorkingStep {
  const action: DeviceAction = { kind: 'action', phase: 'running', actionId, openedAt: moment.now };
  const known = recall(state, token, 'action', contentOf(action));
  switch (known.seen) {
    case 'otherwise':
      return refuse(state, 'FLOW_CONFLICT');
    case 'open':
      return unchanged(state);
    case 'over':
      return { state, effects: [respond(token, known.finished.answer as StatusCode)] };
    case 'never':
      break;
  }
  if (isActionStale(token, moment)) {
    return { ...end(state, token, action, 'failed', moment), refused: 'FLOW_TOKEN_AGE' };
  }
  if (!hasRoom(state, 'action'))
    return { ...end(state, token, action, 'failed', moment), refused: 'FLOW_LIMIT' };
  return { state: open(state, token, action), effects: [{ do: 'act', token, actionId }] };
}

export function acted(
  state: WorkingState,
  token: TokenKey,
  outcome: ActOutcome,
  moment: Moment,
): WorkingStep {
  const action = openOf(state, token);
  if (action?.kind !== 'action') return unchanged(state);
  return end(state, token, action, outcome, moment);
}

/**
 * Ends an action that ran when the device stopped. It is never run again, and counts as failed unless it was meant to stop
 * the device.
 */
export function actionInterrupted(
  state: WorkingState,
  token: TokenKey,
  action: DeviceAction,
  moment: Moment,
  rebooted: boolean,
): WorkingStep {
  const meant = rebooted && (action.actionId === POWER_OFF || action.actionId === REBOOT);
  return end(state, token, action, meant ? 'done' : 'failed', moment);
}

function end(
  state: WorkingState,
  token: TokenKey,
  action: DeviceAction,
  outcome: ActOutcome,
  moment: Moment,
): WorkingStep {
  const answer = STATUS_OF[outcome];
  const finished = { kind: 'action', result: outcome, answer, content: contentOf(action) } as const;
  return { state: finish(state, token, finished, moment), effects: [respond(token, answer)] };
}
