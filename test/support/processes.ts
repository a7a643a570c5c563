import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const SRUP = fileURLToPath(new URL('../../packages/cli/bin/srup.js', import.meta.url));

/** A real `srup` process and what it says. */
export interface Srup {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Resolves to the exit code or the name of the signal, once it has ended. */
  readonly ended: Promise<number | NodeJS.Signals>;
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

export function startSrup(args: readonly string[], env: NodeJS.ProcessEnv = {}): Srup {
  const child = spawn(process.execPath, [SRUP, ...args], {
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: string[] = [];
  const err: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => out.push(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => err.push(text));
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  return {
    child,
    stdout: () => out.join(''),
    stderr: () => err.join(''),
    ended,
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return ended;
    },
  };
}

export interface Outcome {
  readonly code: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `srup` to its end. */
export async function runSrup(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const process = startSrup(args, env);
  const code = await process.ended;
  return { code, stdout: process.stdout(), stderr: process.stderr() };
}
