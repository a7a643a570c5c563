/**
 * `npm run fuzz [-- --short] [-- --seed N] [-- --inputs N]`: ten million hostile inputs, each of which must be refused
 * by a code or come back exactly (threat 30). `--short`: as many as fit into 20 seconds. Exit code 1 on any failure.
 */
import { parseArgs } from 'node:util';
import { fuzz, SLOW, type Outcome } from './fuzz.ts';

const INPUTS = 10_000_000;
const SHORT_TIME = 20_000; // ms

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    inputs: { type: 'string', default: String(INPUTS) },
  },
});

const plan = { seed: Number(values.seed), inputs: Number(values.inputs) };
if (!Number.isSafeInteger(plan.seed) || !Number.isSafeInteger(plan.inputs) || plan.inputs < 1) {
  console.error('--seed and --inputs take whole numbers, e.g. "npm run fuzz -- --seed 7 --inputs 100000".');
  process.exit(2);
}

const outcome = await fuzz({
  ...plan,
  judgesTime: true,
  ...(values.short ? { time: SHORT_TIME } : {}),
  onProgress: showProgress,
});
console.log(format(outcome));
process.exitCode = outcome.failures.length > 0 ? 1 : 0;

function showProgress(done: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${done.toLocaleString('en')} inputs`);
}

function format({ inputs, seconds, verdicts, failures, slowest, seemedSlow }: Outcome): string {
  const count = (number: number) => number.toLocaleString('en').padStart(12);
  const lines = [
    `${inputs.toLocaleString('en')} inputs of seed ${plan.seed} in ${seconds.toFixed(1)} s: ` +
      `${Math.round(inputs / seconds).toLocaleString('en')} a second`,
  ];
  for (const [target, counts] of verdicts) {
    const total = [...counts.values()].reduce((sum, one) => sum + one, 0);
    lines.push('', `${target}:${' '.repeat(Math.max(1, 42 - target.length))}${count(total)}`);
    const rows = [...counts].sort(([, a], [, b]) => b - a);
    for (const [verdict, times] of rows) lines.push(`  ${verdict.slice(0, 40).padEnd(41)}${count(times)}`);
  }
  lines.push('', `slowest to read: ${slowest.ms.toFixed(3)} ms (${slowest.target}): ${slowest.input}`);
  lines.push(`over ${SLOW} ms at first, never again when timed alone: ${seemedSlow}`);
  lines.push(failures.length === 0 ? 'no failure' : `${failures.length} FAILURES`, ...failures);
  return lines.join('\n');
}
