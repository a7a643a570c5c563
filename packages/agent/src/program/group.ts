import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';

export interface GroupOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdio: StdioOptions;
}

/** A process that leads a group of its own, so that everything it starts can be ended with it. */
export interface Group {
  /** Absent when it could not be started. */
  readonly child?: ChildProcess;
  /** Resolves with how it ended, or why it never began. Its pipes can stay open longer: its children may hold them. */
  readonly end: Promise<string>;
}

export function startGroup(argv: readonly string[], options: GroupOptions): Group {
  const [program, ...rest] = argv;
  if (program === undefined) throw new RangeError('a command needs a program');
  try {
    const child = spawn(program, rest, { ...options, env: { ...options.env }, detached: true });
    return { child, end: ended(child) };
  } catch (error) {
    return { end: Promise.resolve(neverBegan(error as Error)) };
  }
}

function ended(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      resolve(signal === null ? `exit code ${code ?? 0}` : `signal ${signal}`);
    });
    child.on('error', (error) => {
      if (child.pid === undefined) resolve(neverBegan(error));
    });
  });
}

const neverBegan = (error: Error): string => `it can't be started (${error.message})`;

/** Sends the signal to the process and its whole group. False when nothing of it is left. */
export function signalGroup({ child }: Group, signal: NodeJS.Signals): boolean {
  if (child?.pid === undefined) return false;
  try {
    process.kill(-child.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * Longest wait for the pipes of an ended process, in milliseconds. Its last output can still be in them, and a process
 * that escaped its group can hold them open.
 */
const DRAIN_MS = 500;

/** Reads the pipes of an ended process to their end, within bounds, and closes them. */
export async function drainPipes({ child }: Group): Promise<void> {
  if (child === undefined) return;
  const pipes = [child.stdin, child.stdout, child.stderr];
  if (pipes.some((pipe) => pipe !== null && !pipe.closed)) {
    await once(child, 'close', { signal: AbortSignal.timeout(DRAIN_MS) }).catch(() => undefined);
  }
  for (const pipe of pipes) pipe?.destroy();
}
