/** The server's side of DATA, both ways (P 10.6). */
import type { BodyOf } from '../../message/layouts.ts';
import { STATUS } from '../../message/status.ts';
import type { TokenKey } from '../../token.ts';
import type { Moment, ServerData, ServerFacts, ServerStep } from '../contract.ts';
import { fingerprint } from '../fingerprint.ts';
import { refuse, respond, say, unchanged } from '../say.ts';
import { settle } from '../settle.ts';
import { isReservedDataId } from './ids.ts';

/** Sent once: a device answers DATA only when it can't use it. RangeError for an id beginning `srup.`. */
export function sendData(body: BodyOf<'DATA'>, token: TokenKey, moment: Moment): ServerStep {
  const { dataId, data } = body;
  if (isReservedDataId(dataId))
    throw new RangeError(`data ids beginning "srup." belong to the protocol: "${dataId}"`);
  const state: ServerData = { ...remember('server', body, token, moment), phase: 'sent', attempts: 1 };
  return { state, effects: [say('DATA', token, { dataId, data })] };
}

function remember(
  by: ServerData['by'],
  { dataId, data }: BodyOf<'DATA'>,
  token: TokenKey,
  { now }: Moment,
): Omit<ServerData, 'phase'> {
  return { kind: 'data', by, dataId, content: fingerprint(dataId, data), token, openedAt: now, attempts: 0 };
}

/** DATA of a device under a token that was never seen. */
export function takeData(
  body: BodyOf<'DATA'>,
  token: TokenKey,
  moment: Moment,
  facts: ServerFacts,
): ServerStep {
  const { dataId, data } = body;
  const taken = remember('device', body, token, moment);
  const reserved = isReservedDataId(dataId);
  if (!reserved && facts.takesData(dataId)) {
    return { state: { ...taken, phase: 'received' }, effects: [{ do: 'record', dataId, data }] };
  }
  const status = STATUS.DATA_TYPE_UNKNOWN;
  const state: ServerData = { ...taken, phase: 'unknown', status };
  return reserved
    ? refuse(state, 'FLOW_UNSUPPORTED', respond(token, status))
    : { state, effects: [respond(token, status)] };
}

/** The same DATA again is answered the same and recorded once. */
export function takeAgain(known: ServerData, body: BodyOf<'DATA'>): ServerStep {
  if (known.by === 'server' || known.content !== fingerprint(body.dataId, body.data)) {
    return refuse(known, 'FLOW_CONFLICT');
  }
  if (known.phase === 'received') return unchanged(known);
  return { state: known, effects: [respond(known.token, STATUS.DATA_TYPE_UNKNOWN)] };
}

export function answerData(data: ServerData, status: number): ServerStep {
  if (data.by === 'device' || status !== STATUS.DATA_TYPE_UNKNOWN) return refuse(data, 'FLOW_STATUS');
  return unchanged(settle(data, 'unknown', status));
}
