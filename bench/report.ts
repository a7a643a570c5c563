import type { Rate } from './measure.ts';

/** The result of a benchmark file: `export async function benchmark(): Promise<Section[]>`. */
export interface Section {
  readonly title: string;
  readonly rates?: readonly Rate[];
  /** Milliseconds, for tasks that are measured one by one instead of as a rate. */
  readonly delays?: readonly Delay[];
  /** The goal, and whether this run reached it. */
  readonly targets?: readonly Target[];
}

export interface Delay {
  readonly name: string;
  readonly median: number;
  readonly p95: number;
}

export interface Target {
  readonly what: string;
  readonly measured: string;
  readonly met: boolean;
}

const MICROS = 1e6;

export function formatSection({ title, rates, delays, targets = [] }: Section): string {
  const aims = targets.map(
    ({ what, measured, met }) => `  ${met ? 'met' : 'NOT MET'}: ${what} (${measured})`,
  );
  return [
    title,
    ...(rates ? formatRates(rates) : []),
    ...(delays ? formatDelays(delays) : []),
    ...aims,
    '',
  ].join('\n');
}

function formatRates(rates: readonly Rate[]): string[] {
  const rows = rates.map(({ name, perSecond, ratio }) => [
    name,
    Math.round(perSecond).toLocaleString('en'),
    (MICROS / perSecond).toFixed(2),
    ratio.toFixed(2),
  ]);
  return formatTable([['', 'a second', 'us each', 'x first'], ...rows]);
}

function formatDelays(delays: readonly Delay[]): string[] {
  const rows = delays.map(({ name, median, p95 }) => [name, median.toFixed(2), p95.toFixed(2)]);
  return formatTable([['', 'median ms', 'p95 ms'], ...rows]);
}

function formatTable(table: readonly (readonly string[])[]): string[] {
  const columns = table[0]?.map((_, column) => column) ?? [];
  const widths = columns.map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table.map(
    (row) =>
      `  ${row
        .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
        .join('  ')}`,
  );
}
