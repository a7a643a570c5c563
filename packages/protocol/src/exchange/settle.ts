/** What the server's exchanges share: how they wait for an answer, and how they end. */
import type { ServerExchange } from './server-exchange.ts';
import type { ServerStep } from './server-step.ts';
import type { Moment } from './step.ts';
import { judge, nextTry, type RetryPolicy } from './retry.ts';
import { refuse, unchanged } from './say.ts';

/** Moves an exchange to a phase in which it waits for nothing. */
export function settle<E extends ServerExchange>(exchange: E, phase: E['phase'], status?: number): E {
  const { wakeAt: _wakeAt, ...rest } = exchange;
  return { ...rest, phase, ...(status !== undefined && { status }) } as unknown as E;
}

/** Counts one more sending of the exchange's message, and sets when to ask again. */
export function waiting<E extends ServerExchange>(exchange: E, policy: RetryPolicy, moment: Moment): E {
  const attempts = exchange.attempts + 1;
  return { ...exchange, attempts, wakeAt: nextTry(policy, attempts, moment) };
}

/** Waits, asks again, or gives up, by the policy (P 10.10). `since`: when the present phase began, ms since 1970. */
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

/** Ends an exchange that got no answer in time. Its outcome is unknown. */
export function expire(exchange: Exclude<ServerExchange, { kind: 'data' }>): ServerStep {
  return unchanged(settle(exchange, 'expired'));
}

/**
 * Takes an answer to an exchange that is over. The same answer again changes nothing; another one is refused (P 6.4).
 * An expired exchange stays expired, but a late answer of the right family is kept: the outcome was unknown, and is
 * now proven.
 */
export function answerLate(exchange: ServerExchange, status: number, family: readonly number[]): ServerStep {
  if (exchange.status === status) return unchanged(exchange);
  if (exchange.phase !== 'expired') return refuse(exchange, 'FLOW_FINISHED');
  return family.includes(status) ? unchanged({ ...exchange, status }) : refuse(exchange, 'FLOW_STATUS');
}
