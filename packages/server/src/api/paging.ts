/** How a query reads which page it is asked for. */
import { FleetError } from './faults.ts';
import { DEFAULT_ROWS, MOST_ROWS, type PageQuery } from './forms/pages.ts';

/**
 * How many rows the page has at most. Throws `FleetError` for a number out of range: a program that calls the server
 * directly passes no form.
 *
 * @example
 * limitOf({}); // 100
 */
export function limitOf({ limit = DEFAULT_ROWS }: PageQuery): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MOST_ROWS) return limit;
  throw new FleetError('invalid', `a page has 1 to ${MOST_ROWS} rows`);
}

/**
 * The place that a cursor names, 1 or more: the number of a row, or how many rows came before. Throws `FleetError` for a
 * text that no page gave.
 *
 * @example
 * placeOf('42'); // 42
 */
export function placeOf(cursor: string): number {
  if (/^[1-9][0-9]{0,15}$/.test(cursor)) return Number(cursor);
  throw new FleetError('invalid', 'the cursor is not one that a page gave');
}
