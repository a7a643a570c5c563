/** What each database does in its own way. The adapter of each dialect knows how. */
import type { DialectAdapter, RawBuilder } from 'kysely';

/** The type of a column: a whole number of 64 bits, text, or bytes. */
export type ColumnType = 'integer' | 'text' | 'blob';

/** Columns of rows, in the order in which statements list them. */
export type Columns<Row> = Readonly<Record<keyof Row & string, ColumnType>>;

export interface Ways {
  /**
   * The rows that a statement takes, as a table: of one run of it. `valueOf` gives what stands for the value, or the
   * values, of a column.
   */
  rowsGiven(
    columns: readonly (readonly [string, ColumnType])[],
    valueOf: (column: string) => unknown,
  ): RawBuilder<unknown>;
  /** The values of each run of such a statement: a value of each column, or an array of them. */
  runsOf(columns: readonly string[], rows: readonly object[]): Iterable<Readonly<Record<string, unknown>>>;
  /** Statements after which the database refuses to change or delete a row of the table. */
  appendOnly(table: string): readonly RawBuilder<unknown>[];
  /** Selects `last`, the greatest key that the database gave in this table, whether its row is there or not; 0 for none. */
  lastKey(table: string, key: string): RawBuilder<{ readonly last: number }>;
  /** Statements after which the keys that the database gives in this table are greater than `last`, which is 1 or more. */
  keysAfter(table: string, key: string, last: number): readonly RawBuilder<unknown>[];
}

/** Gives the ways of the database that an adapter belongs to. */
export function waysOf({ adapter }: { readonly adapter: DialectAdapter }): Ways {
  return adapter as DialectAdapter & Ways;
}
