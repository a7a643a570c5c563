/** Runs the processes of a benchmark, and reads their output and what they used from the kernel. Linux only. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const SRUP = fileURLToPath(new URL('../../packages/cli/bin/srup.js', import.meta.url));
/** The kernel's clock for processes (USER_HZ). */
const TICKS_A_SECOND = 100;

export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
  stop(): Promise<void>;
}

export function startSrup(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  nodeArgs: readonly string[] = [],
): Running {
  const child = spawn(process.execPath, [...nodeArgs, SRUP, ...args], {
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return {
    child,
    pid: child.pid ?? 0,
    stdout: () => out,
    stderr: () => err,
    ended,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Runs `srup` to its end; throws when it fails. */
export async function runSrup(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const running = startSrup(args, env);
  const code = await running.ended;
  if (code !== 0) throw new Error(`srup ${args.join(' ')} ended with ${code}: ${running.stderr()}`);
  return running.stdout();
}

export async function untilTrue(
  what: string,
  holds: () => boolean | Promise<boolean>,
  patienceMs: number,
  everyMs = 20,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs / 1000} s in vain: ${what}`);
    await sleep(everyMs);
  }
}

/** Processor time that it has used so far, in seconds. */
export function cpuSeconds(pid: number): number {
  return used(statOf(pid), 2);
}

/** The same of a process, its children, and those of its children that have ended. */
export function cpuSecondsOfTree(pid: number): number {
  const own = used(statOf(pid), 4);
  const others = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return others.reduce((sum, name) => {
    const fields = statOf(Number(name));
    return Number(fields[1]) === pid ? sum + used(fields, 4) : sum;
  }, own);
}

/** The fields of `stat` after the name, which may hold blanks; none when the process has ended. */
function statOf(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

/** utime and stime are the 12th and 13th field, and those of children that have ended the 14th and 15th. */
function used(fields: readonly string[], count: 2 | 4): number {
  return fields.slice(11, 11 + count).reduce((sum, field) => sum + Number(field), 0) / TICKS_A_SECOND;
}

/** Resident memory in MiB: now, and at most so far. */
export function memoryOf(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
  return { now: Math.round(kib('VmRSS') / 1024), peak: Math.round(kib('VmHWM') / 1024) };
}
