/**
 * What the tests of test/attacks prove about each row. By their names: the file's begins with the row's number; tests
 * below a suite whose name ends in "[embedded]" or "[mosquitto]" ran on that broker, others involve none; a control's begins with "without",
 * and says which check it takes away and what the attack does then.
 */
import { basename } from 'node:path';
import { ROWS, type Row } from './rows.ts';

export const PLACES = ['embedded', 'mosquitto'] as const;
export type Place = (typeof PLACES)[number];

export interface Tested {
  readonly file: string;
  /** The names of the suites around the test, outermost first, and then the name of the test. */
  readonly names: readonly string[];
  readonly state: 'passed' | 'failed' | 'skipped';
}

export type Verdict = 'pass' | 'FAIL' | 'no control' | 'not run' | 'not yet';

export interface Outcome {
  readonly row: Row;
  readonly on: Readonly<Record<Place, Verdict>>;
  /** Controls that showed the attack at work. */
  readonly controls: number;
}

export function rowOf(file: string): number | undefined {
  const digits = /^(\d\d)-.*\.test\.ts$/.exec(basename(file))?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export function isControl({ names }: Tested): boolean {
  return /^without\b/.test(names.at(-1) ?? '');
}

/** The broker of a test; undefined if none takes part. */
function placeOf({ names }: Tested): Place | undefined {
  return PLACES.find((place) => names.slice(0, -1).some((name) => name.endsWith(`[${place}]`)));
}

export function outcomes(tests: readonly Tested[], rows: readonly Row[] = ROWS): Outcome[] {
  return rows.map((row) => {
    const own = tests.filter(({ file }) => rowOf(file) === row.number);
    return {
      row,
      on: { embedded: judge(row, own, 'embedded'), mosquitto: judge(row, own, 'mosquitto') },
      controls: own.filter((test) => isControl(test) && test.state === 'passed').length,
    };
  });
}

function judge({ broker, later }: Row, own: readonly Tested[], place: Place): Verdict {
  const here = own.filter((test) => [place, undefined].includes(placeOf(test)));
  if (here.some(({ state }) => state === 'failed')) return 'FAIL';
  const passed = here.filter(({ state }) => state === 'passed');
  const counting = broker === true ? passed.filter((test) => placeOf(test) === place) : passed;
  if (counting.every(isControl)) return later === true && own.length === 0 ? 'not yet' : 'not run';
  return passed.some(isControl) ? 'pass' : 'no control';
}

/** Whether every row holds that must; a row that is not built yet need not. */
export function isGood(all: readonly Outcome[]): boolean {
  return all.every(({ on }) => PLACES.every((place) => ['pass', 'not yet'].includes(on[place])));
}

export function formatTable(all: readonly Outcome[]): string {
  const head = ['#', 'attack', ...PLACES, 'controls'];
  const lines = all.map(({ row, on, controls }) => [
    String(row.number),
    row.attack.length > ATTACK_LETTERS ? `${row.attack.slice(0, ATTACK_LETTERS - 1)}…` : row.attack,
    ...PLACES.map((place) => on[place]),
    controls === 0 ? '' : String(controls),
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column]!.length)));
  const format = (line: readonly string[]): string =>
    line
      .map((cell, column) => (column === 0 ? cell.padStart(widths[0]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd();
  return [head, widths.map((width) => '-'.repeat(width)), ...lines].map(format).join('\n');
}

const ATTACK_LETTERS = 64;

export function summarise(all: readonly Outcome[]): string {
  const count = (verdicts: readonly Verdict[]): number =>
    all.filter(({ on }) => PLACES.every((place) => verdicts.includes(on[place]))).length;
  const passed = count(['pass']);
  const later = count(['not yet']);
  const rest = all.length - passed - later;
  const rows = (number: number): string => `${number} ${number === 1 ? 'row' : 'rows'}`;
  const holds = `${rows(passed)} ${passed === 1 ? 'holds' : 'hold'}`;
  return `${holds} on both brokers, ${later} not yet${rest > 0 ? `, ${rows(rest)} NOT SHOWN` : ''}`;
}
