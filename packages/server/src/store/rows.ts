import { sql, type AliasedRawBuilder, type Compilable, type CompiledQuery, type RawBuilder } from 'kysely';
import { Place, preparedQuery, withValues, type Executing } from './prepared.ts';
import type { Write } from './port.ts';
import type { CoreTables } from './schema/tables.ts';
import { waysOf, type Columns, type ColumnType } from './ways.ts';

/** The rows that a statement is given. */
export interface Given<Row> {
  /** For `from`: the rows as a table with the name `given`. */
  readonly table: AliasedRawBuilder<Row, 'given'>;
  readonly columns: readonly (keyof Row & string)[];
  /** For `insertInto(...).columns(given.columns).expression(given.rows)`. */
  readonly rows: RawBuilder<Row>;
}

/**
 * Prepares a statement that does with many rows what it does with one. A database that is far away gets all of them at
 * once; SQLite, which is in the process, runs the statement for each. Build the statement from `given`, and say nothing
 * in it of how many rows there are.
 *
 * The rows of the result come for each given row in turn where the statement returns one for each; an id that the
 * database gives grows from row to row.
 *
 * @example
 * const insertNotes = prepareRows({ at: 'integer', text: 'text' }, (write: Write<NoteTables>, given) =>
 *   write.insertInto('notes').columns(given.columns).expression(given.rows).returning('id'),
 * );
 * const ids = await insertNotes(write, [{ at: 1, text: 'one' }, { at: 2, text: 'two' }]);
 */
export function prepareRows<Row extends object, Result, Source extends Executing = Write<CoreTables>>(
  columns: Columns<Row>,
  build: (source: Source, given: Given<Row>) => Compilable<Result>,
): (source: Source, rows: readonly Row[]) => Promise<readonly Result[]> {
  const typed = Object.entries<ColumnType>(columns);
  const names = typed.map(([name]) => name) as (keyof Row & string)[];
  const compiled = new WeakMap<object, CompiledQuery<Result>>();

  function givenOf(source: Source): Given<Row> {
    const table = waysOf(source.getExecutor()).rowsGiven(typed, (column) => new Place(column));
    const list = sql.join(names.map((name) => sql.ref(`given.${name}`)));
    // Without a condition SQLite would read the ON of ON CONFLICT as that of a join.
    const rows = sql<Row>`select ${list} from ${table} as ${sql.ref('given')} where true`;
    return { columns: names, table: table.as('given') as AliasedRawBuilder<Row, 'given'>, rows };
  }

  return async (source, rows) => {
    if (rows.length === 0) return [];
    const executor = source.getExecutor();
    const query = preparedQuery(compiled, executor.adapter, () => build(source, givenOf(source)));
    const results: Promise<{ readonly rows: readonly Result[] }>[] = [];
    for (const values of waysOf(executor).runsOf(names, rows)) {
      results.push(source.executeQuery(withValues(query, values)));
    }
    const found = await Promise.all(results);
    return found.length === 1 ? (found[0]?.rows ?? []) : found.flatMap((result) => result.rows);
  };
}
