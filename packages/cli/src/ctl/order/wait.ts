/** Waits until devices have proven how a command ended. */
import type { Api } from '../../client/api.ts';
import { followExchanges, type Follower, type Target } from '../../client/follow.ts';
import type { ExchangeView, OrderedCommand, Selection, Sent } from '../../client/views.ts';
import { CTL_EXIT, Failure } from '../../failure.ts';
import type { Output } from '../../screen/output.ts';
import { showProgress } from '../../screen/progress.ts';
import { send, sentOutcome, type Outcome } from './send.ts';

export interface Goal {
  /** Whether there is nothing more to wait for. */
  isSettled(view: ExchangeView): boolean;
  /** Whether the device proved the wanted result. */
  isGood(view: ExchangeView): boolean;
  /** Milliseconds; no limit by default. */
  readonly limitMs?: number | undefined;
}

/** Sends a command, and waits for what every device proves. Ctrl-C and the limit end the wait, not the command. */
export function sendAndWait(
  api: Api,
  output: Output,
  to: Selection,
  command: OrderedCommand,
  goal: Goal,
): Promise<readonly Outcome[]> {
  return whileFollowing(api, output, async (follower) =>
    waitFor(follower, output, await send(api, to, command), goal),
  );
}

/** Opens the stream of events, runs `act`, and closes the stream; Ctrl-C closes it too. */
export async function whileFollowing<Result>(
  api: Api,
  output: Output,
  act: (follower: Follower) => Promise<Result>,
): Promise<Result> {
  const interrupted = new AbortController();
  const onInterrupt = () => {
    interrupted.abort(stoppedWaiting());
  };
  process.once('SIGINT', onInterrupt);
  try {
    const follower = await followExchanges(api, {
      signal: interrupted.signal,
      onBreak: (reason) => {
        output.note(`Disconnected (${reason}); trying again. What was sent stays sent.`);
      },
      onReturn: () => {
        output.note('Connected again.');
      },
    });
    try {
      return await act(follower);
    } finally {
      follower.stop();
    }
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

/** Waits, and shows on one line how many devices are in which phase. */
export async function waitFor(
  follower: Follower,
  output: Output,
  receipts: readonly Sent[],
  goal: Goal,
): Promise<readonly Outcome[]> {
  const targets: readonly Target[] = receipts.filter((receipt) => receipt.ok);
  const phases = new Map(targets.map(({ device }) => [device, 'sent']));
  const settled = new Set<string>();
  const progress = showProgress('{bar} {value}/{total}  {phases}', targets.length, {
    phases: countsOf(phases.values()),
  });
  const told = new Map<string, string>();
  /** Reports a deferral at once, as it can make everybody wait for hours (P 10.11). */
  function tellDeferral({ device, exchange, explanation }: ExchangeView): void {
    if (exchange.kind !== 'update' || exchange.deferral === undefined) return;
    if (told.get(device) === explanation) return;
    told.set(device, explanation);
    output.note(`${device}: ${explanation}`);
  }
  const waited = follower.until(targets, {
    isSettled: (view) => goal.isSettled(view),
    onChange: (view) => {
      phases.set(view.device, view.exchange.phase);
      if (goal.isSettled(view)) settled.add(view.device);
      else tellDeferral(view);
      progress.set(settled.size, { phases: countsOf(phases.values()) });
    },
    limitMs: goal.limitMs,
  });
  const views = await waited.finally(() => {
    progress.stop();
  });
  const missing = targets.length - settled.size;
  if (missing > 0)
    output.note(`${missing} of ${targets.length} have not answered yet. See how it ends: srup ctl watch`);
  const byDevice = new Map(targets.map(({ device }, index) => [device, views[index]]));
  return receipts.map((receipt) => outcomeOf(receipt, byDevice.get(receipt.device), goal));
}

/** Counts as a text: "3 active, 1 staged". */
export function countsOf(phases: Iterable<string>): string {
  const counts = new Map<string, number>();
  for (const phase of phases) counts.set(phase, (counts.get(phase) ?? 0) + 1);
  return [...counts].map(([phase, count]) => `${count} ${phase}`).join(', ');
}

function outcomeOf(receipt: Sent, view: ExchangeView | undefined, goal: Goal): Outcome {
  const sent = sentOutcome(receipt);
  if (!receipt.ok) return sent;
  if (view === undefined) return { ...sent, isGood: false };
  return {
    ...sent,
    phase: view.exchange.phase,
    isGood: goal.isGood(view),
    explanation: view.explanation,
    view,
  };
}

function stoppedWaiting(): Failure {
  return new Failure(
    CTL_EXIT.interrupted,
    'the wait was stopped; what was sent stays sent, and the server continues',
    'See how it ends: srup ctl watch, or srup ctl exchanges --open',
  );
}
