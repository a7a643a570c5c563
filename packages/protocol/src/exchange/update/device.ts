/** The device's side of an update: fetch, stage, and switch only when told to (P 10.1 to 10.4, 10.11, 10.12). */
import type { FlowCode } from '../../faults.ts';
import type { BodyOf } from '../../message/layouts.ts';
import { STATUS, type StatusCode } from '../../message/status.ts';
import type { TokenKey } from '../../token.ts';
import { isTooOld } from '../age.ts';
import type { DeviceEffect, DeviceFacts, DeviceInput, FetchOutcome } from '../device-step.ts';
import type { DeviceUpdate, Finished } from '../device-state.ts';
import type { Moment } from '../step.ts';
import { fingerprint } from '../fingerprint.ts';
import { finish, makeRoom, open, openOf, recall, type WorkingState, type WorkingStep } from '../memory.ts';
import { DEFERRED_RETRY, isDue, nextTry, UPDATE_AGE_MS } from '../retry.ts';
import { refuse, respond, say, unchanged } from '../say.ts';
import { DEFER_DATA_ID, encodeDeferral } from './deferral.ts';
import { isDigest } from './digest.ts';
import { isAllowedUrl } from './url.ts';

const FETCH_STATUS: Readonly<Record<FetchOutcome, StatusCode>> = {
  ok: STATUS.UPDATE_SUCCESS,
  'http-error': STATUS.UPDATE_FAIL_HTTP_ERROR,
  'no-server': STATUS.UPDATE_FAIL_SERVER,
  'no-file': STATUS.UPDATE_FAIL_FILE,
  'bad-digest': STATUS.UPDATE_FAIL_DIGEST,
};

const DEFAULT_REASON = 'not now';

export function initiate(
  state: WorkingState,
  token: TokenKey,
  { url, digest }: BodyOf<'INITIATE'>,
  moment: Moment,
  facts: DeviceFacts,
): WorkingStep {
  // A wrong digest may be of any length; what is remembered is not.
  const content = isDigest(digest) ? digest : fingerprint(digest);
  const known = recall(state, token, 'update', content);
  switch (known.seen) {
    case 'otherwise':
      return refuse(state, 'FLOW_CONFLICT');
    case 'open':
      return known.exchange.phase === 'fetching'
        ? unchanged(state)
        : answer(state, token, STATUS.UPDATE_SUCCESS);
    case 'over':
      return answer(state, token, fetchAnswer(known.finished));
    case 'never':
      break;
  }
  const fault = findFault(token, url, digest, moment, facts);
  if (fault !== undefined) return refuseUpdate(state, token, content, fault, moment);
  const roomy = makeRoom(state, moment);
  if (roomy === undefined) {
    return refuseUpdate(state, token, content, ['FLOW_LIMIT', STATUS.UPDATE_FAIL_FILE], moment);
  }
  const update: DeviceUpdate = { kind: 'update', phase: 'fetching', url, digest, openedAt: moment.now };
  return { state: open(roomy, token, update), effects: owed(token, update) };
}

type Fault = readonly [FlowCode, StatusCode];

function findFault(
  token: TokenKey,
  url: string,
  digest: string,
  moment: Moment,
  facts: DeviceFacts,
): Fault | undefined {
  if (isTooOld(token, UPDATE_AGE_MS, moment)) return ['FLOW_TOKEN_AGE', STATUS.UPDATE_FAIL_FILE];
  if (!isDigest(digest)) return ['FLOW_DIGEST', STATUS.UPDATE_FAIL_DIGEST];
  if (!isAllowedUrl(url, facts)) return ['FLOW_URL', STATUS.UPDATE_FAIL_FILE];
  return undefined;
}

/** The token is used up by the refusal: what was answered as failed never runs later. */
function refuseUpdate(
  state: WorkingState,
  token: TokenKey,
  content: string,
  [code, status]: Fault,
  moment: Moment,
): WorkingStep {
  const next = finish(state, token, { kind: 'update', result: 'failed', answer: status, content }, moment);
  return refuse(next, code, respond(token, status));
}

/** What INITIATE was answered, when the exchange has gone on since. */
function fetchAnswer({ answer, result }: Finished): StatusCode {
  // It is no longer here: to say "staged" again would be a lie.
  if (result === 'superseded' || result === 'expired') return STATUS.UPDATE_FAIL_FILE;
  const wasStaged = answer === STATUS.ACTIVATE_SUCCESS || answer === STATUS.ACTIVATE_FAIL;
  return wasStaged ? STATUS.UPDATE_SUCCESS : (answer as StatusCode);
}

function answer(state: WorkingState, token: TokenKey, status: StatusCode): WorkingStep {
  return { state, effects: [respond(token, status)] };
}

/** P 10.3. */
export function activate(state: WorkingState, token: TokenKey, moment: Moment): WorkingStep {
  const known = recall(state, token, 'update');
  switch (known.seen) {
    case 'otherwise':
      return refuse(state, 'FLOW_CONFLICT');
    case 'over':
      return activateAgain(state, token, known.finished);
    case 'open':
      if (known.exchange.phase === 'activating') return unchanged(state);
      break;
    case 'never':
      break;
  }
  const update = known.seen === 'open' ? known.exchange : undefined;
  if (isTooOld(token, UPDATE_AGE_MS, moment)) {
    const next = update?.phase === 'staged' ? end(state, token, update, 'expired', moment) : state;
    return refuse(next, 'FLOW_TOKEN_AGE', respond(token, STATUS.ACTIVATE_FAIL));
  }
  if (update?.phase !== 'staged') return refuse(state, 'FLOW_STATE', respond(token, STATUS.ACTIVATE_FAIL));
  const activating: DeviceUpdate = { ...update, phase: 'activating' };
  return { state: open(state, token, activating), effects: owed(token, activating) };
}

function activateAgain(state: WorkingState, token: TokenKey, { answer: last }: Finished): WorkingStep {
  if (last === STATUS.ACTIVATE_SUCCESS || last === STATUS.ACTIVATE_FAIL) return answer(state, token, last);
  return refuse(state, 'FLOW_STATE', respond(token, STATUS.ACTIVATE_FAIL)); // it never was staged
}

type UpdateResult = 'active' | 'reverted' | 'expired' | 'failed';

function end(
  state: WorkingState,
  token: TokenKey,
  { digest }: DeviceUpdate,
  result: UpdateResult,
  moment: Moment,
  status: StatusCode = STATUS.ACTIVATE_FAIL,
): WorkingState {
  return finish(state, token, { kind: 'update', result, answer: status, content: digest }, moment);
}

export function fetched(
  state: WorkingState,
  token: TokenKey,
  outcome: FetchOutcome,
  moment: Moment,
): WorkingStep {
  const update = openOf(state, token);
  if (update?.kind !== 'update' || update.phase !== 'fetching') return unchanged(state);
  const status = FETCH_STATUS[outcome];
  const next =
    outcome === 'ok'
      ? open(state, token, { ...update, phase: 'staged' })
      : end(state, token, update, 'failed', moment, status);
  return answer(next, token, status);
}

type Installed = Extract<DeviceInput, { on: 'installed' }>;

export function installed(
  state: WorkingState,
  input: Installed,
  moment: Moment,
  facts: DeviceFacts,
): WorkingStep {
  const { token, outcome } = input;
  const update = openOf(state, token);
  if (update?.kind !== 'update' || update.phase !== 'activating') return unchanged(state);
  switch (outcome) {
    case 'active':
      return answer(
        end(state, token, update, 'active', moment, STATUS.ACTIVATE_SUCCESS),
        token,
        STATUS.ACTIVATE_SUCCESS,
      );
    case 'reverted':
      return answer(end(state, token, update, 'reverted', moment), token, STATUS.ACTIVATE_FAIL);
    case 'deferred':
      return facts.serverSpeaksProfile === true
        ? tellDeferral(state, update, input)
        : waitDeferral(state, update, input, moment);
  }
}

/** P 10.11: the token stays staged, and the server asks again. */
function tellDeferral(
  state: WorkingState,
  update: DeviceUpdate,
  { token, reason, until }: Installed,
): WorkingStep {
  const { wakeAt: _wakeAt, ...rest } = update;
  const deferral = { reason: reason ?? DEFAULT_REASON, ...(until !== undefined && { until }) };
  return {
    state: open(state, token, { ...rest, phase: 'staged' }),
    effects: [
      respond(token, STATUS.ACTIVATE_DEFERRED),
      say('DATA', token, { dataId: DEFER_DATA_ID, data: encodeDeferral(token, deferral) }),
    ],
  };
}

/** A server that does not know 1D is simply answered later (P 10.11). */
function waitDeferral(
  state: WorkingState,
  update: DeviceUpdate,
  { token, until }: Installed,
  moment: Moment,
): WorkingStep {
  const wakeAt = until !== undefined && until > moment.now ? until : nextTry(DEFERRED_RETRY, 1, moment);
  return unchanged(open(state, token, { ...update, wakeAt }));
}

export function wakeUpdate(
  state: WorkingState,
  token: TokenKey,
  update: DeviceUpdate,
  moment: Moment,
): WorkingStep {
  if (!isDue(update.wakeAt, moment)) return unchanged(state);
  const { wakeAt: _wakeAt, ...rest } = update;
  return { state: open(state, token, rest), effects: owed(token, rest) };
}

/** A device that leaves does not fetch or retry earlier orders (P 10.8). An installation that has begun is finished. */
export function forgetUnbegun(state: WorkingState, moment: Moment): WorkingState {
  return Object.entries(state.open).reduce((next, [token, update]) => {
    if (update.kind !== 'update') return next;
    if (update.phase === 'fetching')
      return end(next, token, update, 'failed', moment, STATUS.UPDATE_FAIL_FILE);
    return update.wakeAt === undefined ? next : end(next, token, update, 'reverted', moment);
  }, state);
}

/** What is to be done in this phase, and done again after a restart. */
export function owed(token: TokenKey, { phase, url, digest, wakeAt }: DeviceUpdate): DeviceEffect[] {
  switch (phase) {
    case 'fetching':
      return [{ do: 'fetch', token, url, digest }];
    case 'activating':
      return wakeAt === undefined ? [{ do: 'install', token, digest }] : [];
    case 'staged':
      return [];
  }
}
