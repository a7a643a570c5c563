/** The server's side of DATA, both ways (P 10.6). */
import type { BodyOf } from '../../message/layouts.ts';
import { STATUS } from '../../message/status.ts';
import type { TokenKey } from '../../token.ts';
import type { ServerData } from '../server-exchange.ts';
import type { ServerFacts, ServerStep } from '../server-step.ts';
import type { Moment } from '../step.ts';
import { fromHex, toHex } from '../../wire/encoding.ts';
import { fingerprint } from '../fingerprint.ts';
import { DATA_REPEAT, isDue } from '../retry.ts';
import { refuse, respond, say, unchanged } from '../say.ts';
import { settle } from '../settle.ts';
import { isReservedDataId } from './ids.ts';

/**
 * Sends DATA. Nothing tells that DATA arrived: a device answers only what it can't use. So the server sends it once.
 * It sends it again under the same token when it learns that the broker lost what waited there, while the DATA is
 * young (the server then moves `wakeAt` forward). It does so only for devices that remember tokens: pySRUP would take
 * it as new DATA.
 *
 * RangeError for an id that begins with `srup.`.
 */
export function sendData(
  body: BodyOf<'DATA'>,
  token: TokenKey,
  moment: Moment,
  { confirms }: ServerFacts,
): ServerStep {
  const { dataId, data } = body;
  if (isReservedDataId(dataId))
    throw new RangeError(`data ids beginning "srup." belong to the protocol: "${dataId}"`);
  const state: ServerData = {
    ...remember('server', body, token, moment),
    phase: 'sent',
    attempts: 1,
    ...(confirms && { bytes: toHex(data), wakeAt: moment.now + DATA_REPEAT.expireMs }),
  };
  return { state, effects: [say('DATA', token, { dataId, data })] };
}

/** Sends DATA again that may have been lost. Old DATA is left alone. */
export function wakeData(known: ServerData, moment: Moment, { joined }: ServerFacts): ServerStep {
  const { wakeAt, bytes: hex, ...rest } = known;
  const data = hex === undefined ? undefined : fromHex(hex);
  if (data === undefined || !isDue(wakeAt, moment)) return unchanged(known);
  const endsAt = known.openedAt + DATA_REPEAT.expireMs;
  if (!joined || known.attempts >= DATA_REPEAT.tries || moment.now >= endsAt) return unchanged(rest);
  const again: ServerData = { ...known, attempts: known.attempts + 1, wakeAt: endsAt };
  return { state: again, effects: [say('DATA', known.token, { dataId: known.dataId, data })] };
}

function remember(
  by: ServerData['by'],
  { dataId, data }: BodyOf<'DATA'>,
  token: TokenKey,
  { now }: Moment,
): Omit<ServerData, 'phase'> {
  return { kind: 'data', by, dataId, content: fingerprint(dataId, data), token, openedAt: now, attempts: 0 };
}

/** Takes DATA of a device under a token that was never seen. */
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

/** Takes the same DATA again: it gets the same answer and is recorded once. */
export function takeAgain(known: ServerData, body: BodyOf<'DATA'>): ServerStep {
  if (known.by === 'server' || known.content !== fingerprint(body.dataId, body.data)) {
    return refuse(known, 'FLOW_CONFLICT');
  }
  if (known.phase === 'received') return unchanged(known);
  return { state: known, effects: [respond(known.token, STATUS.DATA_TYPE_UNKNOWN)] };
}

export function answerData(data: ServerData, status: number): ServerStep {
  if (data.by === 'device' || status !== STATUS.DATA_TYPE_UNKNOWN) return refuse(data, 'FLOW_STATUS');
  const { bytes: _bytes, ...rest } = data;
  return unchanged(settle(rest, 'unknown', status));
}
