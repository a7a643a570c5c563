/** Keeps a broker that is not ours up to date with the revocation list, and knows whether it is (P 8.3, 10.8). */
import { backoffMs, type Delay, type Log } from '@srup/node';
import type { Clock, Random } from '@srup/protocol';
import type { Credential } from '../../authority/authority.ts';
import type { RevocationView } from '../../api/forms/broker.ts';
import type { Finding } from './look.ts';

/** Waits before each look at a broker that was made to read its list, in milliseconds; reading takes a moment. */
const LOOKS_MS = [50, 200, 500, 1_000, 2_000] as const;
/** Bounds of the wait before a broker that is behind is made to read its list again; it doubles each time. */
const AGAIN = { leastMs: 5_000, mostMs: 300_000 } as const;
/** Milliseconds before a broker that was right is tried out again: it may have been set up anew. */
const STEADY_MS = 3_600_000;

export interface WatchPorts {
  /** Makes the broker read its files again. Undefined when the operator gave no command for it. */
  readonly reload: (() => Promise<void>) | undefined;
  /** Tries out whether the broker refuses this certificate. */
  readonly look: (canary: Credential) => Promise<Finding>;
  readonly clock: Clock;
  readonly random: Pick<Random, 'unit'>;
  readonly delay: Delay;
  readonly log: Log;
}

export interface Watch {
  /** There is a new revocation list, which alone names this certificate. */
  follow(canary: Credential): void;
  /** Tries the broker out now. Joins a trial that runs. */
  run(): Promise<void>;
  isRunning(): boolean;
  revocation(): RevocationView;
  stop(): void;
}

export function createWatch(ports: WatchPorts): Watch {
  const { clock, random, delay } = ports;
  let state: RevocationView = { state: 'unproven', since: clock.now() };
  let canary: Credential | undefined;
  let failures = 0;
  let isStopped = false;
  let running: Promise<void> | undefined;
  let callOff: () => void = () => undefined;

  /** When a list replaces another during a trial, the broker is tried out with the new one next. */
  async function catchUp(): Promise<void> {
    callOff();
    for (let seen: Credential | undefined; seen !== canary && !isStopped;) {
      seen = canary;
      const finding = await bringUpToDate(seen as Credential, ports, () => isStopped);
      if (finding !== undefined) settle(finding);
    }
    if (isStopped) return;
    failures = state.state === 'current' ? 0 : failures + 1;
    const waitMs = failures === 0 ? STEADY_MS : backoffMs(failures, AGAIN, random.unit());
    callOff = delay(waitMs, () => void run());
  }

  function run(): Promise<void> {
    running ??= catchUp().finally(() => (running = undefined));
    return running;
  }

  function settle(finding: Finding): void {
    if (finding.state === state.state && finding.problem === state.problem) return;
    state = { ...finding, since: clock.now() };
    report(finding, ports.log);
  }

  return {
    follow: (next) => {
      canary = next;
      state = { state: 'unproven', since: clock.now() };
      if (!isStopped) void run();
    },
    run,
    isRunning: () => running !== undefined,
    revocation: () => state,
    stop: () => {
      isStopped = true;
      callOff();
    },
  };
}

/** Makes the broker read its list, and looks until it has. Undefined when the watch was stopped in the meantime. */
async function bringUpToDate(
  canary: Credential,
  { reload, look, delay }: WatchPorts,
  isStopped: () => boolean,
): Promise<Finding | undefined> {
  let trouble: string | undefined;
  await reload?.().catch((error: unknown) => (trouble = (error as Error).message));
  let finding: Finding | undefined;
  for (const waitMs of LOOKS_MS) {
    await new Promise<void>((resolve) => delay(waitMs, resolve));
    finding = await look(canary);
    if (isStopped()) return undefined;
    if (finding.state === 'current') return finding;
    // Waiting helps only a broker that is reading its list just now.
    if (finding.state === 'unproven' || trouble !== undefined || reload === undefined) break;
  }
  return finding && { ...finding, ...(trouble !== undefined && { problem: trouble }) };
}

function report({ state, problem }: Finding, log: Log): void {
  if (state === 'current') log.info({}, 'the broker refuses everybody who was revoked');
  else if (state === 'behind') log.error({ problem }, 'THE BROKER LETS IN DEVICES THAT WERE REVOKED');
  else log.warn({ problem }, 'it is not known whether the broker refuses revoked devices');
}
