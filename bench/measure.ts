/** Measures things that run in turns in one process, so that a busy machine slows all of them alike. */

/** Milliseconds of one turn. */
const TURN = 50;
/** Turns that are counted; the ones before them warm up. */
const TURNS = 31;
const WARM_UP_TURNS = 4;

export interface Task {
  readonly name: string;
  /** Operations that one call of `run` performs; 1 unless told. */
  readonly operations?: number;
  /** May give a promise, which is awaited. */
  readonly run: () => unknown;
}

export interface Rate {
  readonly name: string;
  /** Operations a second, in the median turn. */
  readonly perSecond: number;
  /** Time of one operation as a multiple of the first task's, in the median turn. */
  readonly ratio: number;
}

/** One rate a task, in their order; the first task is what the others are compared with. */
export async function measure(tasks: readonly Task[]): Promise<Rate[]> {
  const turns: number[][] = [];
  for (let turn = -WARM_UP_TURNS; turn < TURNS; turn++) {
    const rates: number[] = [];
    for (const task of tasks) rates.push(await runTurn(task));
    if (turn >= 0) turns.push(rates);
  }
  return tasks.map(({ name }, at) => ({
    name,
    perSecond: median(turns.map((rates) => rates[at] ?? NaN)),
    ratio: median(turns.map((rates) => (rates[0] ?? NaN) / (rates[at] ?? NaN))),
  }));
}

async function runTurn({ run, operations = 1 }: Task): Promise<number> {
  const isAsync = run() instanceof Promise;
  let calls = 0;
  const start = performance.now();
  let now = start;
  for (let batch = 1; now - start < TURN; batch = Math.min(batch * 2, 512)) {
    if (isAsync) for (let i = 0; i < batch; i++) await run();
    else for (let i = 0; i < batch; i++) run();
    calls += batch;
    now = performance.now();
  }
  return (calls * operations * 1000) / (now - start);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}
