/** The server's side of identification (P 10.7). */
import type { TokenKey } from '../../token.ts';
import type { ServerIdentify } from '../server-exchange.ts';
import type { ServerStep } from '../server-step.ts';
import type { Moment } from '../step.ts';
import { IDENTIFY_RETRY } from '../retry.ts';
import { refuse, say, unchanged } from '../say.ts';
import { expire, keepAsking, settle, waiting } from '../settle.ts';
import { readIdentification } from './identification.ts';

export function openIdentify(token: TokenKey, moment: Moment): ServerStep {
  return sendRequest({ kind: 'identify', phase: 'sent', token, openedAt: moment.now, attempts: 0 }, moment);
}

function sendRequest(exchange: ServerIdentify, moment: Moment): ServerStep {
  return {
    state: waiting(exchange, IDENTIFY_RETRY, moment),
    effects: [say('ID_REQUEST', exchange.token, {})],
  };
}

/**
 * Takes what a device says about itself, under our token. pySRUP uses a token of its own: then it answers no
 * transaction, but it is as genuine (interop). Undefined if the bytes are not text.
 */
export function takeIdentification(
  token: TokenKey,
  known: ServerIdentify | undefined,
  data: Uint8Array,
  { now }: Moment,
): ServerStep | undefined {
  const identification = readIdentification(data);
  if (identification === undefined) return undefined;
  const effects = [{ do: 'identify', identification }] as const;
  if (known === undefined) {
    const state = {
      kind: 'identify',
      phase: 'answered',
      token,
      openedAt: now,
      attempts: 0,
      identification,
    } as const;
    return { state, effects };
  }
  if (known.identification === identification) return unchanged(known);
  switch (known.phase) {
    case 'sent':
      return { state: settleAs(known, identification), effects };
    case 'expired':
      return { state: { ...known, identification }, effects };
    case 'answered':
      return refuse(known, 'FLOW_FINISHED');
  }
}

/** The device identified itself under another token (P 10.7, interop). */
export function identified(exchange: ServerIdentify, identification: string): ServerStep {
  return exchange.phase === 'sent'
    ? unchanged(settleAs(exchange, identification))
    : refuse(exchange, 'FLOW_STATE');
}

function settleAs(exchange: ServerIdentify, identification: string): ServerIdentify {
  return { ...settle(exchange, 'answered'), identification };
}

export function wakeIdentify(exchange: ServerIdentify, moment: Moment): ServerStep {
  if (exchange.phase !== 'sent') return unchanged(exchange);
  return keepAsking(exchange, IDENTIFY_RETRY, exchange.openedAt, moment, sendRequest, expire);
}
