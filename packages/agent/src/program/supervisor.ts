import { type BackoffBounds, backoffMs, type Log } from '@srup/node';
import type { Clock, Random } from '@srup/protocol';
import { drainPipes, type Group, signalGroup, startGroup } from './group.ts';

export interface SupervisorOptions {
  /** Time from SIGTERM to SIGKILL, in milliseconds. */
  readonly stopMs: number;
  readonly backoff: BackoffBounds;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onOutput: (stream: OutputName, chunk: Uint8Array) => void;
}

export type OutputName = 'stdout' | 'stderr';

export interface ProgramState {
  readonly program: 'none' | 'running' | 'restarting' | 'stopped';
  readonly pid?: number;
  readonly restarts: number;
}

/** Keeps one program alive. */
export interface Supervisor {
  /** Begins to keep this command alive. A command that can't be started counts as one that ended. */
  start(argv: readonly string[]): void;
  /** Sends SIGTERM, then SIGKILL, to the program and its whole group; resolves when it is gone. */
  stop(): Promise<void>;
  /** Sends a signal to the program. False when nothing runs. */
  signal(name: NodeJS.Signals): boolean;
  /** Writes to its stdin. False when nothing runs, or it doesn't read. */
  write(text: string): boolean;
  state(): ProgramState;
  /** Resolves when the program next ends by itself, with how it ended. */
  nextEnd(): Promise<string>;
}

/** A program that ran this long was healthy: its next failure counts as the first one. Milliseconds. */
const STABLE_MS = 60_000;
/** Most bytes that wait for a program that does not read its stdin. */
const MAX_STDIN_BYTES = 256 * 1024;

interface Run {
  readonly group: Group;
  readonly startedAt: number;
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { log, clock } = options;
  let idle: 'none' | 'stopped' = 'none';
  let command: readonly string[] | undefined;
  let running: Run | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  let restarts = 0;
  let waiting: ((how: string) => void)[] = [];

  function launch(argv: readonly string[]): void {
    timer = undefined;
    const { cwd, env } = options;
    const group = startGroup(argv, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
    const run: Run = { group, startedAt: clock.monotonic() };
    running = run;
    // The program can close its stdin at any time; when it ends, that is handled below.
    group.child?.stdin?.on('error', () => undefined);
    for (const name of ['stdout', 'stderr'] as const) {
      group.child?.[name]?.on('data', (chunk: Buffer) => {
        options.onOutput(name, chunk);
      });
    }
    log.info({ pid: group.child?.pid }, 'program started');
    void group.end.then((how) => {
      if (running === run) revive(run, argv, how);
    });
  }

  function revive({ group, startedAt }: Run, argv: readonly string[], how: string): void {
    running = undefined;
    // What it left behind must not meet its successor.
    signalGroup(group, 'SIGKILL');
    void drainPipes(group);
    failures = clock.monotonic() - startedAt >= STABLE_MS ? 1 : failures + 1;
    restarts += 1;
    const waitMs = Math.round(backoffMs(failures, options.backoff, options.random.unit()));
    log.warn({ how, restarts, waitMs }, 'program ended by itself');
    timer = setTimeout(launch, waitMs, argv);
    for (const tell of waiting) tell(how);
    waiting = [];
  }

  async function end(group: Group): Promise<void> {
    signalGroup(group, 'SIGTERM');
    const late = setTimeout(() => {
      log.warn({ pid: group.child?.pid }, 'program did not end on SIGTERM');
      signalGroup(group, 'SIGKILL');
    }, options.stopMs);
    await group.end;
    clearTimeout(late);
    signalGroup(group, 'SIGKILL');
    await drainPipes(group);
  }

  return {
    start(argv) {
      if (command !== undefined) throw new Error('a program is kept alive already');
      command = argv;
      failures = 0;
      launch(argv);
    },
    async stop() {
      if (command === undefined) return;
      clearTimeout(timer);
      timer = undefined;
      command = undefined;
      idle = 'stopped';
      const last = running;
      running = undefined;
      if (last !== undefined) await end(last.group);
    },
    signal: (name) => running !== undefined && signalGroup(running.group, name),
    write(text) {
      const stdin = running?.group.child?.stdin;
      if (stdin?.writable !== true || stdin.writableLength > MAX_STDIN_BYTES) return false;
      stdin.write(text);
      return true;
    },
    state() {
      const pid = running?.group.child?.pid;
      if (pid !== undefined) return { program: 'running', pid, restarts };
      return { program: command === undefined ? idle : 'restarting', restarts };
    },
    nextEnd: () => new Promise((resolve) => void waiting.push(resolve)),
  };
}
