/** The loop of the fuzzer: same seed, same inputs. */
import { seededRandom, type SeededRandom } from '@srup/protocol/testing';
import { createTargets, type Target } from './targets.ts';

/** Milliseconds that no message may take to read. */
export const SLOW = 1;
/** How often an input that seemed slow is read again, alone. */
const TURNS = 20;
const PROCESSOR_TURNS = 200;

export interface Plan {
  readonly seed: number;
  readonly inputs: number;
  /** Stops earlier when this many milliseconds are over. */
  readonly time?: number;
  /** Is a message that takes longer than `SLOW` to read a failure? Not in a test: its verdict must not depend on the machine. */
  readonly judgesTime: boolean;
  readonly onProgress?: (done: number) => void;
}

export interface Slowest {
  readonly target: string;
  /** Of this thread, in the shortest of several turns: what the input itself costs. */
  readonly ms: number;
  readonly input: string;
}

export interface Outcome {
  readonly inputs: number;
  readonly seconds: number;
  /** Inputs by target, then by verdict. */
  readonly verdicts: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly failures: readonly string[];
  readonly slowest: Slowest;
  /** Inputs whose first turn only took longer than `SLOW`: collection of garbage, a busy machine. */
  readonly seemedSlow: number;
}

const PROGRESS_EVERY = 100_000;
const MAX_FAILURES = 20;

export async function fuzz({
  seed,
  inputs,
  time = Infinity,
  judgesTime,
  onProgress,
}: Plan): Promise<Outcome> {
  const random = seededRandom(seed);
  const targets = await createTargets();
  const wheel = targets.flatMap((target) => Array.from({ length: target.share }, () => target));
  const verdicts = new Map(targets.map(({ name }) => [name, new Map<string, number>()]));
  const failures: string[] = [];
  let slowest: Slowest = { target: 'none', ms: 0, input: '' };
  let seemedSlow = 0;
  let done = 0;
  const start = performance.now();
  while (done < inputs && failures.length < MAX_FAILURES && performance.now() - start < time) {
    const target = random.pick(wheel);
    const { input, verdict, ms } = await attempt(target, random);
    const counts = verdicts.get(target.name);
    counts?.set(verdict, (counts.get(verdict) ?? 0) + 1);
    if (verdict.startsWith('FAILED'))
      failures.push(`${target.name}, input ${done}: ${verdict}: ${show(input)}`);
    if (judgesTime && target.timed && ms > slowest.ms) {
      const alone = Math.min(ms, timeAlone(target, input));
      if (ms > SLOW) seemedSlow++;
      if (alone > slowest.ms) slowest = { target: target.name, ms: alone, input: show(input) };
      if (alone > SLOW)
        failures.push(`${target.name}, input ${done}: takes ${alone.toFixed(2)} ms: ${show(input)}`);
    }
    done++;
    if (done % PROGRESS_EVERY === 0) onProgress?.(done);
  }
  return {
    inputs: done,
    seconds: (performance.now() - start) / 1000,
    verdicts,
    failures,
    slowest,
    seemedSlow,
  };
}

interface Attempt {
  readonly input: unknown;
  readonly verdict: string;
  readonly ms: number;
}

async function attempt(target: Target, random: SeededRandom): Promise<Attempt> {
  const input = target.make(random);
  const start = performance.now();
  let ms = NaN;
  try {
    const reading = target.read(input);
    const result = reading instanceof Promise ? ((await reading) as unknown) : reading;
    ms = performance.now() - start;
    return { input, verdict: target.judge(input, result), ms };
  } catch (fault) {
    return { input, verdict: `FAILED ${String(fault)}`, ms };
  }
}

/** The shortest of several turns with nothing else in between. */
function timeAlone(target: Target, input: unknown): number {
  let best = Infinity;
  for (let turn = 0; turn < TURNS; turn++) {
    const start = performance.now();
    void target.read(input);
    best = Math.min(best, performance.now() - start);
  }
  return best > SLOW ? Math.min(best, processorTime(target, input)) : best;
}

/** What this thread spends, whoever else uses the machine. Its clock is coarse: only many turns give a number. */
function processorTime(target: Target, input: unknown): number {
  const before = process.threadCpuUsage();
  for (let turn = 0; turn < PROCESSOR_TURNS; turn++) void target.read(input);
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000 / PROCESSOR_TURNS;
}

const SHOWN = 160;

function show(input: unknown): string {
  const text = input instanceof Uint8Array ? Buffer.from(input).toString('hex') : JSON.stringify(input);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}... (${text.length})` : text;
}
