import type { Rate } from './measure.ts';

/** What a benchmark file gives: `export async function benchmark(): Promise<Section[]>`. */
export interface Section {
  readonly title: string;
  readonly rates: readonly Rate[];
  /** What was aimed at, and whether this run reached it. */
  readonly targets?: readonly Target[];
}

export interface Target {
  readonly what: string;
  readonly measured: string;
  readonly met: boolean;
}

const MICROS = 1e6;

export function formatSection({ title, rates, targets = [] }: Section): string {
  const rows = rates.map(({ name, perSecond, ratio }) => [
    name,
    Math.round(perSecond).toLocaleString('en'),
    (MICROS / perSecond).toFixed(2),
    ratio.toFixed(2),
  ]);
  const table = [['', 'a second', 'us each', 'x first'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  '),
  );
  const aims = targets.map(
    ({ what, measured, met }) => `  ${met ? 'met' : 'NOT MET'}: ${what} (${measured})`,
  );
  return [title, ...lines.map((line) => `  ${line}`), ...aims, ''].join('\n');
}
