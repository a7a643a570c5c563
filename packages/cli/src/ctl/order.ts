/** Sending one command to devices, and waiting for what they prove. */
import type { CommandReceipt, ExchangeView } from '@srup/server';
import { UserError } from '../user-error.ts';
import type { Api } from './api.ts';
import { CTL_EXIT, Failure } from './failure.ts';
import { findDevices } from './find.ts';
import { followExchanges, type Follower } from './follow.ts';
import type { Output } from './output.ts';
import { showProgress } from './progress.ts';

/** Whom a command is for, as the API takes it. */
export type Selection =
  { readonly devices: readonly string[] } | { readonly type: string } | { readonly all: true };

/** The body's `command`, as http/schemas.ts of the server defines it. */
export type OrderedCommand =
  | { readonly kind: 'update'; readonly digest: string; readonly activate: boolean }
  | { readonly kind: 'action'; readonly actionId: number }
  | { readonly kind: 'data'; readonly dataId: string; readonly value: DataValue }
  | { readonly kind: 'identify' | 'terminate' | 'deregister' };

export type DataValue =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'int32' | 'double'; readonly number: number }
  | { readonly type: 'hex'; readonly hex: string };

export interface SelectionOptions {
  readonly type?: string | undefined;
  readonly all?: true | undefined;
}

/** Splits the words of a command that takes devices and then one thing more. */
export function splitWords(words: readonly string[], thing: string, { type, all }: SelectionOptions) {
  const last = words.at(-1) as string;
  if (words.length === 1 && type === undefined && all === undefined) {
    throw new UserError(
      `"${last}" is read as the ${thing}, so no device is named`,
      `Name devices before the ${thing}, or give --type TYPE, or --all.`,
    );
  }
  return { names: words.slice(0, -1), last };
}

/** Exactly one of names, a type, all. */
export async function select(
  api: Api,
  names: readonly string[],
  { type, all }: SelectionOptions,
): Promise<Selection> {
  const ways = [names.length > 0, type !== undefined, all === true].filter(Boolean).length;
  if (ways !== 1) {
    throw new UserError(
      ways === 0 ? 'no device is named' : 'devices are chosen in more than one way',
      'Name devices, or give --type TYPE, or --all.',
    );
  }
  if (type !== undefined) return { type };
  return all === true ? { all } : { devices: (await findDevices(api, names)).map(({ id }) => id) };
}

/** What became of a command at one device. */
export interface Outcome {
  readonly device: string;
  readonly token?: string;
  /** Absent: the server did not send it. */
  readonly phase?: string;
  readonly isGood: boolean;
  readonly explanation: string;
  readonly view?: ExchangeView;
}

export function send(api: Api, to: Selection, command: OrderedCommand): Promise<readonly CommandReceipt[]> {
  return api.send('POST', '/commands', { ...to, command });
}

export interface Goal {
  /** Nothing more is waited for. */
  isSettled(view: ExchangeView): boolean;
  /** The device proved what was wanted. */
  isGood(view: ExchangeView): boolean;
  /** Milliseconds; without limit unless told. */
  readonly limitMs?: number | undefined;
}

/** Sends, and waits until every device has proven how it ended. Ctrl-C ends the waiting, not the command. */
export async function sendAndWait(
  api: Api,
  output: Output,
  to: Selection,
  command: OrderedCommand,
  goal: Goal,
): Promise<readonly Outcome[]> {
  return whileFollowing(api, output, goal, async (follower) => {
    const receipts = await send(api, to, command);
    const targets = receipts.filter((receipt) => receipt.ok);
    const views = await watchPhases(follower, targets, goal);
    const byDevice = new Map(views.map((view) => [view.device, view]));
    return receipts.map((receipt) => outcomeOf(receipt, byDevice.get(receipt.device), goal));
  });
}

/** Opens the stream of events around `act`, and ends it with Ctrl-C or with the time. */
export async function whileFollowing<Result>(
  api: Api,
  output: Output,
  { limitMs }: Pick<Goal, 'limitMs'>,
  act: (follower: Follower) => Promise<Result>,
): Promise<Result> {
  const interrupted = new AbortController();
  const onInterrupt = () => {
    interrupted.abort(stoppedWaiting());
  };
  const timer =
    limitMs === undefined
      ? undefined
      : setTimeout(() => {
          interrupted.abort(tooLong());
        }, limitMs);
  process.once('SIGINT', onInterrupt);
  const follower = await followExchanges(api, {
    signal: interrupted.signal,
    onBreak: (reason) => {
      output.note(`The connection broke (${reason}); trying again. What was sent stays sent.`);
    },
  });
  try {
    return await act(follower);
  } finally {
    follower.stop();
    clearTimeout(timer);
    process.off('SIGINT', onInterrupt);
  }
}

/** One live line of how many are in which phase. */
export async function watchPhases(
  follower: Follower,
  targets: readonly { readonly device: string; readonly token: string }[],
  goal: Goal,
): Promise<readonly ExchangeView[]> {
  const phases = new Map(targets.map(({ device }) => [device, 'sent']));
  const settled = new Set<string>();
  const progress = showProgress('{bar} {value}/{total}  {phases}', targets.length, {
    phases: countsOf(phases),
  });
  try {
    return await follower.until(
      targets,
      (view) => goal.isSettled(view),
      (view) => {
        phases.set(view.device, view.exchange.phase);
        if (goal.isSettled(view)) settled.add(view.device);
        progress.set(settled.size, { phases: countsOf(phases) });
      },
    );
  } finally {
    progress.stop();
  }
}

/** "3 active, 1 fetching". */
export function countsOf(phases: ReadonlyMap<string, string>): string {
  const counts = new Map<string, number>();
  for (const phase of phases.values()) counts.set(phase, (counts.get(phase) ?? 0) + 1);
  return [...counts].map(([phase, count]) => `${count} ${phase}`).join(', ');
}

export function outcomeOf(receipt: CommandReceipt, view: ExchangeView | undefined, goal: Goal): Outcome {
  if (!receipt.ok) return { device: receipt.device, isGood: false, explanation: receipt.reason };
  const { device, token } = receipt;
  if (view === undefined)
    return { device, token, phase: 'sent', isGood: true, explanation: 'Signed and sent.' };
  return {
    device,
    token,
    phase: view.exchange.phase,
    isGood: goal.isGood(view),
    explanation: view.explanation,
    view,
  };
}

function stoppedWaiting(): Failure {
  return new Failure(
    CTL_EXIT.interrupted,
    'stopped waiting; what was sent stays sent, and the server goes on with it',
    'See how it ends: srup ctl exchanges --open, or srup ctl watch',
  );
}

function tooLong(): Failure {
  return new Failure(
    CTL_EXIT.refused,
    'not every device has answered within the time; what was sent stays sent',
    'See how it ends: srup ctl exchanges --open, or srup ctl watch',
  );
}
