import { setTimeout as sleep } from 'node:timers/promises';
import { http } from '@srup/node';
import { type CommandOptions, runCommand } from './command.ts';

/** The conditions of healthy software. All that are given must hold (P 10.1). Times are milliseconds. */
export interface HealthRules {
  /** The program stays alive for this long. */
  readonly aliveMs: number;
  /** Exit code 0 means healthy. */
  readonly command?: readonly string[] | undefined;
  /** Status 2xx means healthy. An address on this device only. */
  readonly url?: string | undefined;
  /** Timeout of one try. */
  readonly timeoutMs: number;
  /** Timeout of all tries together. */
  readonly deadlineMs: number;
}

export interface HealthPorts {
  /** Resolves with how the program ended by itself; undefined when the agent watches no program. */
  readonly programEnd: Promise<string> | undefined;
  readonly command: Pick<CommandOptions, 'cwd' | 'env'>;
}

/** Undefined when healthy; otherwise why not. */
type Verdict = string | undefined;
type Probe = (timeoutMs: number, signal: AbortSignal) => Promise<Verdict>;

const RETRY_MS = 1_000;
/** A short deadline still leaves room for this many tries. */
const LEAST_TRIES = 10;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Undefined when healthy; otherwise why not, as part of a sentence. Rejects with the signal's reason only. */
export async function judgeHealth(
  rules: HealthRules,
  ports: HealthPorts,
  signal: AbortSignal,
): Promise<Verdict> {
  const settled = new AbortController();
  const until = AbortSignal.any([signal, settled.signal]);
  const { command, url } = rules;
  const checks: Promise<Verdict>[] = [];
  if (ports.programEnd !== undefined) checks.push(sleep(rules.aliveMs, undefined, { signal: until }));
  if (command !== undefined)
    checks.push(insist('health command', probeCommand(command, ports), rules, until));
  if (url !== undefined) checks.push(insist('health address', probeAddress(url), rules, until));
  try {
    return await firstFailure(checks, ports.programEnd);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    settled.abort();
  }
}

/** The end of the program is a failure while any check goes on. */
function firstFailure(
  checks: readonly Promise<Verdict>[],
  programEnd: Promise<string> | undefined,
): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    void programEnd?.then((how) => {
      resolve(`the program ended: ${how}`);
    });
    for (const check of checks) {
      check.then((failure) => {
        if (failure !== undefined) resolve(failure);
      }, reject);
    }
    Promise.all(checks).then(() => {
      resolve(undefined);
    }, reject);
  });
}

async function insist(name: string, probe: Probe, rules: HealthRules, signal: AbortSignal): Promise<Verdict> {
  const until = performance.now() + rules.deadlineMs;
  const pauseMs = Math.min(RETRY_MS, rules.deadlineMs / LEAST_TRIES);
  for (;;) {
    const failure = await probe(rules.timeoutMs, signal);
    if (failure === undefined) return undefined;
    if (performance.now() + pauseMs >= until) return `${name}: ${failure}`;
    await sleep(pauseMs, undefined, { signal });
  }
}

function probeCommand(argv: readonly string[], ports: HealthPorts): Probe {
  return async (timeoutMs, signal) =>
    (await runCommand(argv, { ...ports.command, timeoutMs, signal })).failure;
}

/** A health address elsewhere would let another machine decide which software runs here. */
export function isLoopback(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed?.protocol === 'http:' && LOOPBACK.test(parsed.hostname);
}

function probeAddress(url: string): Probe {
  return (timeoutMs, signal) =>
    new Promise((resolve) => {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const request = http().get(url, { agent: false, signal: limit }, ({ statusCode = 0 }) => {
        resolve(statusCode >= 200 && statusCode < 300 ? undefined : `it answered ${statusCode}`);
        request.destroy();
      });
      request.on('error', (error) => {
        resolve(limit.aborted ? 'no answer in time' : error.message);
      });
    });
}
