/**
 * All conversations of a device with its server, as one pure function of state, memory and input. The caller commits
 * the new state and what was finished, together with the window of the message (P 5.3), and then performs the effects
 * in their order.
 */
import type { AuthCode } from '../faults.ts';
import type { MessageType } from '../message/layouts.ts';
import { tokenKey, type TokenKey } from '../token.ts';
import * as action from './action/device.ts';
import type { DeviceExchange, DeviceMemory, DeviceState } from './device-state.ts';
import type { DeviceFacts, DeviceInput, DeviceStep } from './device-step.ts';
import type { Moment } from './step.ts';
import * as data from './data/device.ts';
import { identify } from './identify/device.ts';
import * as join from './join/device.ts';
import * as leave from './leave/device.ts';
import { finishedOf, openOf, stepWith, type WorkingState, type WorkingStep } from './memory.ts';
import { refuse, unchanged } from './say.ts';
import * as update from './update/device.ts';

/** The state of a device that has never spoken with its server. */
export function initialDevice(): DeviceState {
  return { join: { phase: 'idle', attempts: 0 }, open: {} };
}

/**
 * The outcome of one input. RangeError for a `report` whose data id is the protocol's own (`srup.`...).
 *
 *     const step = stepDevice(state, memory, { on: 'message', message }, moment, facts);
 *     // commit step.state and step.finished, then:
 *     const forgotten = memory.remember(step.finished, moment);
 */
export function stepDevice(
  state: DeviceState,
  memory: DeviceMemory,
  input: DeviceInput,
  moment: Moment,
  facts: DeviceFacts,
): DeviceStep {
  return stepWith(state, memory, (working) => stepInput(working, input, moment, facts));
}

function stepInput(state: WorkingState, input: DeviceInput, moment: Moment, facts: DeviceFacts): WorkingStep {
  switch (input.on) {
    case 'message':
      return stepMessage(state, input.message, moment, facts);
    case 'time':
      return wake(state, moment, facts);
    case 'join':
      return join.join(state, input.token, moment);
    case 'greet':
      return join.greet(state, input.token, moment, facts);
    case 'leave':
      return leave.leave(state, input.token, input.what, moment, facts);
    case 'fetched':
      return update.fetched(state, input.token, input.outcome, moment);
    case 'installed':
      return update.installed(state, input, moment, facts);
    case 'acted':
      return action.acted(state, input.token, input.outcome, moment);
    case 'delivered':
      return data.delivered(state, input.token, input.outcome, moment);
    case 'report':
      return data.report(state, input);
  }
}

type FreshMessage = Extract<DeviceInput, { on: 'message' }>['message'];

function stepMessage(
  state: WorkingState,
  fresh: FreshMessage,
  moment: Moment,
  facts: DeviceFacts,
): WorkingStep {
  const { message } = fresh;
  const token = tokenKey(message.token);
  switch (message.type) {
    case 'INITIATE':
      return update.initiate(state, token, message.body, moment, facts);
    case 'ACTIVATE':
      return update.activate(state, token, moment);
    case 'ACTION':
      return action.act(state, token, message.body.actionId, moment);
    case 'DATA':
      return data.takeData(state, token, message.body, moment);
    case 'ID_REQUEST':
      return identify(state, token, moment, facts);
    case 'JOIN_CMD':
      return join.joinCommanded(state, token, message.body.deviceId, moment, facts.self);
    case 'TERMINATE_CMD':
    case 'DEREGISTER_CMD':
      return leave.dismissed(state, token, message.type, message.sequence, moment);
    case 'RESPONSE':
      return stepAnswer(state, token, message.body.status, message.sequence, moment, facts);
    default:
      // Observed joins, observing and syndication have no machines yet.
      return refuse(state, 'FLOW_UNSUPPORTED');
  }
}

/** P 6.3: only what we asked is answered, and only in the words of that question. */
function stepAnswer(
  state: WorkingState,
  token: TokenKey,
  status: number,
  sequence: bigint,
  moment: Moment,
  facts: DeviceFacts,
): WorkingStep {
  if (state.join.phase === 'asking' && state.join.token === token) {
    const answered = join.joinAnswered(state, token, status, sequence, moment);
    return after(answered, leave.leaveAfterJoin(answered.state, moment, facts));
  }
  const exchange = openOf(state, token);
  if (exchange !== undefined) {
    return exchange.kind === 'leave'
      ? leave.leaveAnswered(state, token, exchange, status, moment)
      : refuse(state, 'FLOW_STATUS'); // the server's own question
  }
  const finished = finishedOf(state, token);
  if (finished === undefined) return refuse(state, 'FLOW_TOKEN');
  const asked = finished.answer === undefined;
  if (asked && finished.kind === 'join')
    return join.joinAnsweredAgain(state, token, finished, status, moment);
  if (asked && finished.kind === 'leave') return leave.leaveAnsweredAgain(state, finished, status);
  return refuse(state, 'FLOW_FINISHED');
}

/** Does everything whose time has come (P 10.10). */
function wake(state: WorkingState, moment: Moment, facts: DeviceFacts): WorkingStep {
  return Object.entries(state.open).reduce<WorkingStep>(
    (step, [token, exchange]) => after(step, wakeExchange(step.state, token, exchange, moment, facts)),
    join.wakeJoin(state, moment),
  );
}

function wakeExchange(
  state: WorkingState,
  token: TokenKey,
  exchange: DeviceExchange,
  moment: Moment,
  facts: DeviceFacts,
): WorkingStep {
  switch (exchange.kind) {
    case 'update':
      return update.wakeUpdate(state, token, exchange, moment);
    case 'leave':
      return leave.wakeLeave(state, token, exchange, moment, facts);
    case 'action':
      return unchanged(state);
  }
}

function after(first: WorkingStep, second: WorkingStep): WorkingStep {
  return { ...first, state: second.state, effects: [...first.effects, ...second.effects] };
}

/**
 * What is still owed after a restart. `rebooted`: the whole device was off, not just this program. The device asks its
 * own questions again when their time comes (`nextWake`).
 */
export function resumeDevice(
  state: DeviceState,
  memory: DeviceMemory,
  moment: Moment,
  rebooted: boolean,
): DeviceStep {
  return stepWith(state, memory, (working) =>
    Object.entries(working.open).reduce<WorkingStep>(
      (step, [token, exchange]) => after(step, resume(step.state, token, exchange, moment, rebooted)),
      { state: working, effects: leave.owed(working.join) },
    ),
  );
}

function resume(
  state: WorkingState,
  token: TokenKey,
  exchange: DeviceExchange,
  moment: Moment,
  rebooted: boolean,
): WorkingStep {
  switch (exchange.kind) {
    case 'update':
      return { state, effects: update.owed(token, exchange) };
    case 'action':
      return action.actionInterrupted(state, token, exchange, moment, rebooted);
    case 'leave':
      return unchanged(state);
  }
}

/** When to call with input `time`, ms since 1970; undefined when nothing is awaited. */
export function nextWake(state: DeviceState): number | undefined {
  const times = [state.join, ...Object.values(state.open)].flatMap((waiting) =>
    'wakeAt' in waiting ? [waiting.wakeAt] : [],
  );
  return times.length === 0 ? undefined : Math.min(...times);
}

/** The messages that a device obeys while it is not joined: they concern joining and leaving. */
const ALWAYS_HEARD: ReadonlySet<MessageType> = new Set<MessageType>([
  'RESPONSE',
  'JOIN_CMD',
  'TERMINATE_CMD',
  'DEREGISTER_CMD',
]);

/** For `Peer.forbids` (P 4.6 "authorised"): a device that is not joined is not commanded. */
export function deviceForbids(state: DeviceState, type: MessageType): AuthCode | undefined {
  return state.join.phase === 'joined' || ALWAYS_HEARD.has(type) ? undefined : 'AUTH_STATE';
}
