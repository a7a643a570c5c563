import type { Session } from '../../client/session.ts';
import type { ExchangeView, OrderedCommand, Selection } from '../../client/views.ts';
import { parseDuration } from '../../screen/parse.ts';
import { reportOutcomes } from './report.ts';
import { send, sentOutcome, type Outcome } from './send.ts';
import { sendAndWait, type Goal } from './wait.ts';

/** Sends a command, and waits for the devices when that is wanted. */
export async function carryOut(
  { api, output }: Session,
  to: Selection,
  command: OrderedCommand,
  goal: Goal,
  isWaitedFor: boolean,
): Promise<readonly Outcome[]> {
  if (isWaitedFor) return sendAndWait(api, output, to, command, goal);
  return (await send(api, to, command)).map(sentOutcome);
}

/** Carries a command out, reports what became of it, and resolves to the exit code. */
export async function order(
  session: Session,
  to: Selection,
  command: OrderedCommand,
  goal: Goal,
  isWaitedFor: boolean,
): Promise<number> {
  return reportOutcomes(session.api, session.output, await carryOut(session, to, command, goal, isWaitedFor));
}

export function goalOf(good: readonly string[], { limit }: { readonly limit?: string }): Goal {
  return {
    isSettled: (view: ExchangeView) => view.isFinal,
    isGood: (view) => good.includes(view.exchange.phase),
    limitMs: limit === undefined ? undefined : parseDuration(limit),
  };
}
