import { sql, type Compilable, type CompiledQuery, type QueryResult, type RawBuilder } from 'kysely';
import type { Read } from './port.ts';
import type { CoreTables } from './schema/tables.ts';

/** Stands for a value of each call while a statement is built. */
export class Place {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

const places: unknown = new Proxy(
  {},
  { get: (_target, name) => (typeof name === 'string' ? new Place(name) : undefined) },
);

/** Whatever runs statements, on whichever tables. */
export type Executing = Pick<Read<unknown>, 'executeQuery' | 'getExecutor'>;

/** A statement that a database keeps, because it runs often. */
export interface PreparedQuery<Row = unknown> extends CompiledQuery<Row> {
  readonly isPrepared: true;
}

/** Tells whether the database should keep a statement. */
export function isPrepared(query: CompiledQuery): query is PreparedQuery {
  return 'isPrepared' in query;
}

/** Compiles a statement once for each store. A store and its transactions share one adapter; another may speak another SQL. */
export function preparedQuery<Row>(
  compiled: WeakMap<object, CompiledQuery<Row>>,
  store: object,
  build: () => Compilable<Row>,
): CompiledQuery<Row> {
  const known = compiled.get(store);
  if (known !== undefined) return known;
  const query: PreparedQuery<Row> = { ...build().compile(), isPrepared: true };
  compiled.set(store, query);
  return query;
}

/** The statement with the values of one call in its places. */
export function withValues<Row>(
  query: CompiledQuery<Row>,
  values: Readonly<Record<string, unknown>>,
): CompiledQuery<Row> {
  return {
    ...query,
    parameters: query.parameters.map((value) => (value instanceof Place ? values[value.name] : value)),
  };
}

/**
 * Prepares a statement for the hot path: kysely builds and compiles it once for each store, which takes longer than to
 * run it. Each call runs it with other values. `build` gets places instead of values: it can put them into the
 * statement, and must do nothing else with them.
 *
 * A statement whose source is a `Write` runs only inside a commit.
 *
 * @example
 * const selectName = prepare((read, p: { readonly id: string }) =>
 *   read.selectFrom('devices').select('name').where('id', '=', p.id),
 * );
 * const { rows } = await selectName(store.read, { id });
 */
export function prepare<Values extends object, Row, Source extends Executing = Read<CoreTables>>(
  build: (source: Source, values: Values) => Compilable<Row>,
): (source: Source, values: Values) => Promise<QueryResult<Row>> {
  const compiled = new WeakMap<object, CompiledQuery<Row>>();
  return (source, values) => {
    const { adapter } = source.getExecutor();
    const query = preparedQuery(compiled, adapter, () => build(source, places as Values));
    return source.executeQuery(withValues(query, values as Readonly<Record<string, unknown>>));
  };
}

/**
 * A limit of a prepared statement that is the same in each call. It stands in the text of the statement: SQLite plans a
 * statement again in each call when its limit is a parameter, which can take longer than to run it.
 *
 * @param rows 1 or more
 *
 * @example
 * const selectLast = prepare((read) => read.selectFrom('audit').select('seq').orderBy('seq', 'desc').limit(atMost(1)));
 */
export function atMost(rows: number): RawBuilder<number> {
  return sql.lit(rows);
}
