/** The server's side of an update (P 10.1). Only a signed RESPONSE moves it to a proven phase. */
import { STATUS } from '../../message/status.ts';
import type { TokenKey } from '../../token.ts';
import { isTooOld } from '../age.ts';
import type { ServerUpdate } from '../server-exchange.ts';
import type { ServerCommand, ServerEffect, ServerFacts, ServerStep } from '../server-step.ts';
import type { Moment } from '../step.ts';
import {
  ACTIVATE_RETRY,
  DEFERRAL_LEAST_MS,
  DEFERRAL_MOST_MS,
  INITIATE_RETRY,
  UPDATE_AGE_MS,
} from '../retry.ts';
import { refuse, say, unchanged } from '../say.ts';
import { answerLate, expire, keepAsking, settle, waiting } from '../settle.ts';
import { decodeDeferral } from './deferral.ts';

const INITIATE_STATUSES: readonly number[] = [
  STATUS.UPDATE_SUCCESS,
  STATUS.UPDATE_FAIL_HTTP_ERROR,
  STATUS.UPDATE_FAIL_SERVER,
  STATUS.UPDATE_FAIL_FILE,
  STATUS.UPDATE_FAIL_DIGEST,
];
const ACTIVATE_STATUSES: readonly number[] = [STATUS.ACTIVATE_SUCCESS, STATUS.ACTIVATE_FAIL];

type UpdateCommand = Extract<ServerCommand, { kind: 'update' }>;

export function openUpdate(
  command: UpdateCommand,
  token: TokenKey,
  moment: Moment,
  facts: ServerFacts,
): ServerStep {
  const { confirms } = facts;
  const { url, digest, activateAtOnce, isRollback } = command;
  const base = { token, openedAt: moment.now, attempts: 0, ...(isRollback && { isRollback }) };
  return sendInitiate(
    { ...base, kind: 'update', phase: 'initiated', url, digest, activateAtOnce, confirms },
    moment,
  );
}

function sendInitiate(update: ServerUpdate, moment: Moment): ServerStep {
  const { token, url, digest } = update;
  return {
    state: waiting(update, INITIATE_RETRY, moment),
    effects: [say('INITIATE', token, { url, digest })],
  };
}

/**
 * Sends ACTIVATE, because an operator says so or the update is to be activated at once. A device that deferred it (P
 * 10.11) is asked now instead of at the time that it named.
 */
export function activateUpdate(update: ServerUpdate, moment: Moment, facts: ServerFacts): ServerStep {
  const isDeferred = update.phase === 'activating' && update.deferral !== undefined;
  if (update.phase !== 'staged' && !isDeferred) return refuse(update, 'FLOW_STATE');
  // The device would refuse it (P 6.2). A new INITIATE finds the file held already (P 10.12).
  if (isTooOld(update.token, UPDATE_AGE_MS, moment)) return refuse(update, 'FLOW_TOKEN_AGE');
  const { confirms } = facts;
  return sendActivate(
    { ...update, phase: 'activating', confirms, attempts: 0, activatedAt: update.activatedAt ?? moment.now },
    moment,
  );
}

function sendActivate(update: ServerUpdate, moment: Moment): ServerStep {
  const sent = waiting(update, ACTIVATE_RETRY, moment);
  const state = update.confirms ? sent : settle(sent, 'unconfirmed'); // P 10.7
  return { state, effects: [say('ACTIVATE', update.token, {})] };
}

export function cancelUpdate(update: ServerUpdate): ServerStep {
  const mayCancel = update.phase === 'initiated' || update.phase === 'staged';
  return mayCancel ? unchanged(settle(update, 'cancelled')) : refuse(update, 'FLOW_STATE');
}

export function answerUpdate(
  update: ServerUpdate,
  status: number,
  moment: Moment,
  facts: ServerFacts,
): ServerStep {
  switch (update.phase) {
    case 'initiated':
      return answerInitiate(update, status, moment, facts);
    case 'staged':
      return status === update.status ? unchanged(update) : refuse(update, 'FLOW_STATUS');
    case 'activating':
    case 'unconfirmed':
      return answerActivate(update, status, moment);
    case 'expired':
      return answerExpired(update, status);
    case 'active':
    case 'reverted':
      // The last answer can overtake an earlier one.
      return isEarlier(status) ? unchanged(update) : answerLate(update, status, []);
    case 'failed':
    case 'cancelled':
      return answerLate(update, status, []);
  }
}

function isEarlier(status: number): boolean {
  return status === STATUS.UPDATE_SUCCESS || status === STATUS.ACTIVATE_DEFERRED;
}

function answerInitiate(
  update: ServerUpdate,
  status: number,
  moment: Moment,
  facts: ServerFacts,
): ServerStep {
  if (!INITIATE_STATUSES.includes(status)) return refuse(update, 'FLOW_STATUS');
  if (status !== STATUS.UPDATE_SUCCESS) return unchanged(settle(update, 'failed', status));
  return staged(settle(update, 'staged', status), moment, facts);
}

function staged(update: ServerUpdate, moment: Moment, facts: ServerFacts): ServerStep {
  const proof = prove('staged', update);
  if (!update.activateAtOnce) return { state: update, effects: [proof] };
  const { state, effects } = activateUpdate(update, moment, facts);
  return { state, effects: [proof, ...effects] };
}

function prove(what: 'staged' | 'active' | 'reverted', { digest }: ServerUpdate): ServerEffect {
  return { do: 'prove', what, digest };
}

function answerActivate(update: ServerUpdate, status: number, moment: Moment): ServerStep {
  switch (status) {
    case STATUS.ACTIVATE_SUCCESS:
      return { state: settle(update, 'active', status), effects: [prove('active', update)] };
    case STATUS.ACTIVATE_FAIL:
      return { state: settle(update, 'reverted', status), effects: [prove('reverted', update)] };
    case STATUS.ACTIVATE_DEFERRED:
      // It confirms after all.
      return unchanged({
        ...update,
        phase: 'activating',
        confirms: true,
        status,
        wakeAt: laterThan(update, moment),
      });
    case STATUS.UPDATE_SUCCESS:
      return unchanged(update); // INITIATE had been sent twice
    default:
      return refuse(update, 'FLOW_STATUS');
  }
}

/** When to ask a device again that deferred without naming a time: at the pace of the retries. */
function laterThan(update: ServerUpdate, moment: Moment): number {
  return update.wakeAt ?? moment.now + ACTIVATE_RETRY.firstMs;
}

/** It stays expired, but from now on it is known what the device proves to run. */
function answerExpired(update: ServerUpdate, status: number): ServerStep {
  const wasActivated = update.activatedAt !== undefined;
  const late = answerLate(update, status, wasActivated ? ACTIVATE_STATUSES : INITIATE_STATUSES);
  if (late.state === update) return late;
  if (status === STATUS.ACTIVATE_SUCCESS) return { ...late, effects: [prove('active', update)] };
  if (status === STATUS.ACTIVATE_FAIL) return { ...late, effects: [prove('reverted', update)] };
  if (status === STATUS.UPDATE_SUCCESS) return { ...late, effects: [prove('staged', update)] };
  return late;
}

/** Takes DATA `srup.defer` (P 10.11). */
export function deferUpdate(update: ServerUpdate, data: Uint8Array, moment: Moment): ServerStep {
  const deferral = decodeDeferral(update.token, data);
  if (deferral === undefined) return refuse(update, 'FLOW_CONFLICT');
  if (update.phase !== 'activating') return refuse(update, 'FLOW_STATE');
  const { now } = moment;
  const asked = deferral.until ?? laterThan(update, moment);
  const wakeAt = Math.min(now + DEFERRAL_MOST_MS, Math.max(now + DEFERRAL_LEAST_MS, asked));
  return unchanged({ ...update, deferral, wakeAt });
}

export function wakeUpdate(update: ServerUpdate, moment: Moment): ServerStep {
  const { phase, openedAt, activatedAt = openedAt } = update;
  switch (phase) {
    case 'initiated':
      return keepAsking(update, INITIATE_RETRY, openedAt, moment, sendInitiate, expire);
    case 'activating':
      return keepAsking(update, ACTIVATE_RETRY, activatedAt, moment, sendActivate, expire);
    default:
      return unchanged(update);
  }
}
