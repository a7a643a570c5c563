import { z } from 'zod';

/** Rows of the longest page. */
export const MOST_ROWS = 500;
/** Rows of a page that names no limit. */
export const DEFAULT_ROWS = 100;

export const pageQuery = z.object({
  cursor: z.string().max(200).optional().describe('`next` of the page before'),
  limit: z.coerce.number().int().min(1).max(MOST_ROWS).optional(),
});
/** `limit`: 1 to 500 rows, 100 by default. `cursor`: `next` of the page before. */
export type PageQuery = Readonly<z.infer<typeof pageQuery>>;

/**
 * A page of rows of this form.
 *
 * @example
 * pageOf(deviceView); // { rows: Device[], next?: string }
 */
export function pageOf<Row extends z.ZodType>(row: Row) {
  return z.object({
    rows: z.array(row).readonly(),
    next: z.string().optional().describe('absent on the last page'),
  });
}

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** `cursor` of the query for the next page; absent on the last page. */
  readonly next?: string;
}
