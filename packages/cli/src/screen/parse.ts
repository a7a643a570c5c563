/** Parses what people type as values of options. */
import { UserError } from '../user-error.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const UNITS = { s: SECOND, m: MINUTE, h: HOUR, d: 24 * HOUR } as const;

/** Parses "90s", "15m", "12h" or "30d" as milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  const milliseconds = match === null ? 0 : Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
  if (milliseconds > 0) return milliseconds;
  throw new UserError(
    `"${text}" is not a length of time`,
    'Write a number and s, m, h or d: 90s, 15m, 12h, 30d.',
  );
}

/** Parses the `--limit` of a list: a number of rows, or "all". */
export function parseRows(text: string): number {
  if (text === 'all') return Infinity;
  const rows = Number(text);
  if (Number.isInteger(rows) && rows > 0) return rows;
  throw new UserError(`"${text}" is not a number of rows`, 'Write a whole number above 0, or all.');
}
