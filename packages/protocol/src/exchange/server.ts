/**
 * The server's conversations with one device. Each token is one exchange, a value of its own. The caller finds it by
 * device and token, commits it together with the window of the message (P 5.3), and then performs the effects.
 */
import { reject, type AuthCode, type Rejected } from '../faults.ts';
import type { MessageType } from '../message/layouts.ts';
import type { Fresh } from '../trust/replay.ts';
import { tokenKey, type TokenKey } from '../token.ts';
import * as action from './action/server.ts';
import type { ServerExchange, Standing } from './server-exchange.ts';
import type { ServerCommand, ServerFacts, ServerInput, ServerStep } from './server-step.ts';
import type { Moment } from './step.ts';
import * as data from './data/server.ts';
import { IDENTIFICATION_DATA_ID } from './identify/identification.ts';
import * as identify from './identify/server.ts';
import * as join from './join/server.ts';
import * as leave from './leave/server.ts';
import { refuse } from './say.ts';
import { DEFER_DATA_ID } from './update/deferral.ts';
import * as update from './update/server.ts';

/**
 * Opens the exchange of an operator's command. `token`: a new one. RangeError for DATA whose id belongs to the
 * protocol (`srup.`...).
 *
 * @example
 * const { state, effects } = openExchange({ kind: 'action', actionId: 7 }, token, moment, facts);
 */
export function openExchange(
  command: ServerCommand,
  token: TokenKey,
  moment: Moment,
  facts: ServerFacts,
): ServerStep {
  switch (command.kind) {
    case 'update':
      return update.openUpdate(command, token, moment, facts);
    case 'action':
      return action.openAction(command.actionId, token, moment, facts);
    case 'data':
      return data.sendData(command, token, moment, facts);
    case 'identify':
      return identify.openIdentify(token, moment);
    case 'terminate':
    case 'deregister':
      return leave.openDismissal(command.kind, token, moment, facts);
  }
}

/**
 * Answers a message of a device. `known`: the exchange of this very device and this token, if there is one. The result
 * is a step, or a `Rejected` for a message that neither belongs to an exchange nor opens one (P 6.3).
 *
 * @example
 * const answer = answerMessage(fresh, await findExchange(device, token), moment, facts);
 * if ('code' in answer) refuse(answer.code);
 * else await commit(answer.state, fresh.window);
 */
export function answerMessage(
  fresh: Fresh,
  known: ServerExchange,
  moment: Moment,
  facts: ServerFacts,
): ServerStep;
export function answerMessage(
  fresh: Fresh,
  known: ServerExchange | undefined,
  moment: Moment,
  facts: ServerFacts,
): ServerStep | Rejected;
export function answerMessage(
  fresh: Fresh,
  known: ServerExchange | undefined,
  moment: Moment,
  facts: ServerFacts,
): ServerStep | Rejected {
  const { message } = fresh;
  const token = tokenKey(message.token);
  if (known !== undefined && known.token !== token)
    throw new TypeError('the exchange is that of another token');
  switch (message.type) {
    case 'RESPONSE':
      return known === undefined
        ? reject('FLOW_TOKEN')
        : answerStatus(known, message.body.status, moment, facts);
    case 'DATA':
      return answerData(token, known, message.body, moment, facts);
    case 'JOIN_REQ':
      if (known === undefined) {
        // It asks again, and is answered when the dismissal is over. Otherwise the two could overtake each other.
        return facts.dismissing === true ? reject('FLOW_STATE') : join.openJoin(token, moment, facts);
      }
      return known.kind === 'join' ? join.joinAgain(known, facts) : refuse(known, 'FLOW_CONFLICT');
    case 'RESIGN_REQUEST':
      return answerLeaver('resign', token, known, moment, facts);
    case 'DEREGISTER_REQ':
      return answerLeaver('deregister', token, known, moment, facts);
    default:
      // There are no machines yet for observed joins, observing and syndication.
      return known === undefined ? reject('FLOW_UNSUPPORTED') : refuse(known, 'FLOW_UNSUPPORTED');
  }
}

/** P 6.3: a status must answer this very question. */
function answerStatus(known: ServerExchange, status: number, moment: Moment, facts: ServerFacts): ServerStep {
  switch (known.kind) {
    case 'update':
      return update.answerUpdate(known, status, moment, facts);
    case 'action':
      return action.answerAction(known, status);
    case 'data':
      return data.answerData(known, status);
    case 'leave':
      return leave.answerLeave(known, status);
    case 'identify': // is answered by DATA
    case 'join': // is the device's question
      return refuse(known, 'FLOW_STATUS');
  }
}

function answerData(
  token: TokenKey,
  known: ServerExchange | undefined,
  body: { readonly dataId: string; readonly data: Uint8Array },
  moment: Moment,
  facts: ServerFacts,
): ServerStep | Rejected {
  if (known?.kind === 'data') return data.takeAgain(known, body);
  if (body.dataId === IDENTIFICATION_DATA_ID && (known === undefined || known.kind === 'identify')) {
    const step = identify.takeIdentification(token, known, body.data, moment);
    return step ?? (known === undefined ? reject('FLOW_STATUS') : refuse(known, 'FLOW_STATUS'));
  }
  if (body.dataId === DEFER_DATA_ID) {
    if (known === undefined) return reject('FLOW_TOKEN');
    return known.kind === 'update'
      ? update.deferUpdate(known, body.data, moment)
      : refuse(known, 'FLOW_CONFLICT');
  }
  return known === undefined ? data.takeData(body, token, moment, facts) : refuse(known, 'FLOW_CONFLICT');
}

function answerLeaver(
  what: 'resign' | 'deregister',
  token: TokenKey,
  known: ServerExchange | undefined,
  moment: Moment,
  facts: ServerFacts,
): ServerStep {
  if (known === undefined) return leave.letGo(what, token, moment, facts);
  return known.kind === 'leave' ? leave.letGoAgain(known, what) : refuse(known, 'FLOW_CONFLICT');
}

/**
 * Gives an exchange any other input: time, or an operator's decision. An input that its kind does not know is refused
 * as FLOW_STATE.
 *
 * @example
 * const { state, effects } = stepServer(exchange, { on: 'time' }, moment, facts);
 */
export function stepServer(
  exchange: ServerExchange,
  input: ServerInput,
  moment: Moment,
  facts: ServerFacts,
): ServerStep {
  switch (input.on) {
    case 'message':
      return answerMessage(input.message, exchange, moment, facts);
    case 'time':
      return wake(exchange, moment, facts);
    case 'activate':
      return exchange.kind === 'update'
        ? update.activateUpdate(exchange, moment, facts)
        : refuse(exchange, 'FLOW_STATE');
    case 'cancel':
      return exchange.kind === 'update' ? update.cancelUpdate(exchange) : refuse(exchange, 'FLOW_STATE');
    case 'decide':
      return exchange.kind === 'join'
        ? join.decideJoin(exchange, input.verdict)
        : refuse(exchange, 'FLOW_STATE');
    case 'identified':
      return exchange.kind === 'identify'
        ? identify.identified(exchange, input.identification)
        : refuse(exchange, 'FLOW_STATE');
  }
}

function wake(exchange: ServerExchange, moment: Moment, facts: ServerFacts): ServerStep {
  switch (exchange.kind) {
    case 'update':
      return update.wakeUpdate(exchange, moment);
    case 'action':
      return action.wakeAction(exchange, moment);
    case 'identify':
      return identify.wakeIdentify(exchange, moment);
    case 'join':
      return join.wakeJoin(exchange, moment);
    case 'leave':
      return leave.wakeLeave(exchange, moment);
    case 'data':
      return data.wakeData(exchange, moment, facts);
  }
}

/** What a device can say that is not joined: join requests, leaving, and answers. */
const ALWAYS_HEARD: ReadonlySet<MessageType> = new Set<MessageType>([
  'JOIN_REQ',
  'HM_JOIN_REQ',
  'OBS_JOIN_REQ',
  'RESPONSE',
  'RESIGN_REQUEST',
  'DEREGISTER_REQ',
]);
/** A device that was deregistered never comes back. It can still ask for the answer that it missed. */
const HEARD_AFTER_ALL: ReadonlySet<MessageType> = new Set<MessageType>(['RESPONSE', 'DEREGISTER_REQ']);

/** For `Peer.forbids` (P 4.6 "authorised"): what a device of this standing is not allowed to say. */
export function serverForbids(standing: Standing, type: MessageType): AuthCode | undefined {
  if (standing === 'joined') return undefined;
  const heard = standing === 'deregistered' ? HEARD_AFTER_ALL : ALWAYS_HEARD;
  return heard.has(type) ? undefined : 'AUTH_STATE';
}
