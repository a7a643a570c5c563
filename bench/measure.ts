/** Measures tasks that run in turns in one process, so that a busy machine slows all of them equally. */

/** Milliseconds of one turn; it is short, so that some turns are undisturbed. */
const TURN = 10;
/** Turns that count; earlier ones warm up. */
const TURNS = 160;
const WARM_UP_TURNS = 20;
/** The quantile of the turns, from the fastest, that is the result: the middle of the fastest quarter. */
const QUANTILE = 1 / 8;

export interface Task {
  readonly name: string;
  /** Operations that one call of `run` performs; 1 by default. */
  readonly operations?: number;
  /** Can return a promise, which is awaited. */
  readonly run: () => unknown;
}

export interface Rate {
  readonly name: string;
  /** Operations a second, in the undisturbed turns. */
  readonly perSecond: number;
  /** Time of one operation as a multiple of the first task's. */
  readonly ratio: number;
}

/** Measures the rate of each task, in their order. The others are compared with the first. */
export async function measure(tasks: readonly Task[]): Promise<Rate[]> {
  const rates = tasks.map((): number[] => []);
  for (let turn = -WARM_UP_TURNS; turn < TURNS; turn++) {
    for (const [at, task] of tasks.entries()) {
      const rate = await runTurn(task);
      if (turn >= 0) rates[at]?.push(rate);
    }
  }
  const undisturbed = rates.map(fastQuantile);
  const first = undisturbed[0] ?? NaN;
  return tasks.map(({ name }, at) => {
    const perSecond = undisturbed[at] ?? NaN;
    return { name, perSecond, ratio: first / perSecond };
  });
}

async function runTurn({ run, operations = 1 }: Task): Promise<number> {
  const isAsync = run() instanceof Promise;
  let calls = 0;
  const start = performance.now();
  let now = start;
  for (let batch = 1; now - start < TURN; batch = Math.min(batch * 2, 64)) {
    if (isAsync) for (let i = 0; i < batch; i++) await run();
    else for (let i = 0; i < batch; i++) run();
    calls += batch;
    now = performance.now();
  }
  return (calls * operations * 1000) / (now - start);
}

function fastQuantile(rates: readonly number[]): number {
  const fromFastest = [...rates].sort((a, b) => b - a);
  return fromFastest[Math.floor(fromFastest.length * QUANTILE)] ?? NaN;
}
