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
  /** Why it did not end with exit code 0, in words; absent: it did. */
  readonly failure?: string;
  /** The beginning of what it wrote to stderr, for the log. */
  readonly complaint: string;
}

const MAX_COMPLAINT_BYTES = 2048;

/**
 * Runs a command to its end, without a shell. When time is up, or the signal aborts, it is killed; so is whatever it
 * leaves behind in its group. Rejects with the signal's reason only.
 */
export async function runCommand(argv: readonly string[], options: CommandOptions): Promise<CommandResult> {
  options.signal.throwIfAborted();
  const group = startGroup(argv, { cwd: options.cwd, env: options.env, stdio: ['pipe', 'ignore', 'pipe'] });
  const complaint = collectComplaint(group);
  // It may end without reading its input: that is its right.
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
  return { complaint: complaint(), ...(failure === 'exit code 0' ? {} : { failure }) };
}

function collectComplaint({ child }: Group): () => string {
  let bytes = Buffer.alloc(0);
  child?.stderr?.on('data', (chunk: Buffer) => {
    if (bytes.length < MAX_COMPLAINT_BYTES)
      bytes = Buffer.concat([bytes, chunk]).subarray(0, MAX_COMPLAINT_BYTES);
  });
  return () => bytes.toString('utf8').trim();
}
