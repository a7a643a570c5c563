/** Runs the real command as a child process. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

export const LAUNCHER = fileURLToPath(new URL('../bin/srup.js', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** Options of Node.js itself, before the launcher. */
  readonly node?: readonly string[];
  readonly launcher?: string;
}

export function startSrup(args: readonly string[], options: RunOptions = {}): ChildProcess {
  const { node = [], launcher = LAUNCHER, env = {} } = options;
  // The test runner asks for colours in its own output; the command decides by its own.
  const { FORCE_COLOR: _forced, NO_COLOR: _no, ...inherited } = process.env;
  return spawn(process.execPath, [...node, launcher, ...args], { env: { ...inherited, ...env } });
}

/** Kills those that still run, and waits for their ends. */
export async function killAll(children: readonly ChildProcess[]): Promise<void> {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}

export async function runSrup(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = startSrup(args, options);
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error('the pipes are missing');
  stdin.on('error', () => undefined); // a command that needs no input may leave first
  stdin.end(options.input ?? '');
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [code, out, err] = await Promise.all([closed, text(stdout), text(stderr)]);
  return { code, stdout: out, stderr: err };
}
