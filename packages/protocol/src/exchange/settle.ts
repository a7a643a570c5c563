/** What the server's sides have in common: waiting for an answer, and ending. */
import type { ServerExchange } from './server-exchange.ts';
import type { ServerStep } from './server-step.ts';
import type { Moment } from './step.ts';
import { judge, nextTry, type RetryPolicy } from './retry.ts';
import { refuse, unchanged } from './say.ts';

/** The exchange in a new phase, in which nothing is waited for. */
export function settle<E extends ServerExchange>(exchange: E, phase: E['phase'], status?: number): E {
  const { wakeAt: _wakeAt, ...rest } = exchange;
  return { ...rest, phase, ...(status !== undefined && { status }) } as unknown as E;
}

/** The exchange when its message is sent, the first time or again. */
export function waiting<E extends ServerExchange>(exchange: E, policy: RetryPolicy, moment: Moment): E {
  const attempts = exchange.attempts + 1;
  return { ...exchange, attempts, wakeAt: nextTry(policy, attempts, moment) };
}

/** What a look at the clock leads to (P 10.10). `since`: when the present phase began, ms since 1970. */
export function keepAsking<E extends ServerExchange>(
  exchange: E,
  policy: RetryPolicy,
  since: number,
  moment: Moment,
  send: (exchange: E, moment: Moment) => ServerStep,
  giveUp: (exchange: E) => ServerStep,
): ServerStep {
  switch (judge(exchange, policy, since, moment)) {
    case 'wait':
      return unchanged(exchange);
    case 'again':
      return send(exchange, moment);
    case 'over':
      return giveUp(exchange);
  }
}

/** No answer in time: the outcome is unknown. */
export function expire(exchange: Exclude<ServerExchange, { kind: 'data' }>): ServerStep {
  return unchanged(settle(exchange, 'expired'));
}

/**
 * An answer to an exchange that is over: the same once more changes nothing, another is refused (P 6.4). One that
 * expired stays so, but a late answer of the right family is kept: the outcome was unknown, now it is proven.
 */
export function answerLate(exchange: ServerExchange, status: number, family: readonly number[]): ServerStep {
  if (exchange.status === status) return unchanged(exchange);
  if (exchange.phase !== 'expired') return refuse(exchange, 'FLOW_FINISHED');
  return family.includes(status) ? unchanged({ ...exchange, status }) : refuse(exchange, 'FLOW_STATUS');
}
