import { drainPipes, type Group, signalGroup, startGroup } from './group.ts';

export interface CommandOptions {
  readonly timeoutMs: number;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Written to its stdin. */
  readonly input?: Uint8Array | undefined;
  readonly signal: AbortSignal;
}

export interface CommandResult {
  /** Why it failed, in words; absent when it ended with exit code 0. */
  readonly failure?: string;
  /** The beginning of what it wrote to stderr, for the log. */
  readonly complaint: string;
}

/** The same, with what the command answered. */
export interface CommandAnswer extends CommandResult {
  /** Absent when a signal or the timeout ended it, or when it never began. */
  readonly code?: number;
  /** The beginning of what it wrote to stdout. */
  readonly output: string;
}

const MAX_KEPT_BYTES = 2048;
const EXIT_CODE = /^exit code (\d+)$/;

/**
 * Runs a command to its end, without a shell. On timeout, or when the signal aborts, it is killed. Whatever it leaves
 * behind in its process group is killed too. Rejects with the signal's reason only.
 */
export async function runCommand(argv: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const { failure, complaint } = await askCommand(argv, options);
  return { complaint, ...(failure === undefined ? {} : { failure }) };
}

/** The same, with what it answered. */
export async function askCommand(argv: readonly string[], options: CommandOptions): Promise<CommandAnswer> {
  options.signal.throwIfAborted();
  const { cwd, env } = options;
  const group = startGroup(argv, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
  const output = collect(group, 'stdout');
  const complaint = collect(group, 'stderr');
  // A command need not read its input.
  group.child?.stdin?.on('error', () => undefined).end(options.input ?? '');
  const late = AbortSignal.timeout(options.timeoutMs);
  const stop = AbortSignal.any([options.signal, late]);
  const kill = () => void signalGroup(group, 'SIGKILL');
  stop.addEventListener('abort', kill, { once: true });
  const how = await group.end;
  stop.removeEventListener('abort', kill);
  kill();
  await drainPipes(group);
  options.signal.throwIfAborted();
  const failure = late.aborted ? `no end after ${options.timeoutMs / 1000} s` : how;
  const code = EXIT_CODE.exec(failure)?.[1];
  return {
    output: output(),
    complaint: complaint(),
    ...(code === undefined ? {} : { code: Number(code) }),
    ...(code === '0' ? {} : { failure }),
  };
}

function collect({ child }: Group, name: 'stdout' | 'stderr'): () => string {
  let bytes = Buffer.alloc(0);
  child?.[name]?.on('data', (chunk: Buffer) => {
    if (bytes.length < MAX_KEPT_BYTES) bytes = Buffer.concat([bytes, chunk]).subarray(0, MAX_KEPT_BYTES);
  });
  return () => bytes.toString('utf8').trim();
}
