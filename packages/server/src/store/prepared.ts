import { sql, type Compilable, type CompiledQuery, type QueryResult, type RawBuilder } from 'kysely';
import type { Read, Write } from './port.ts';
import type { CoreTables } from './schema/tables.ts';

/** Stands for a value of each call while a statement is built. */
class Place {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

const places: unknown = new Proxy(
  {},
  { get: (_target, name) => (typeof name === 'string' ? new Place(name) : undefined) },
);

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
export function prepare<
  Values extends object,
  Row,
  Source extends Read<CoreTables> | Write<CoreTables> = Read<CoreTables>,
>(
  build: (source: Source, values: Values) => Compilable<Row>,
): (source: Source, values: Values) => Promise<QueryResult<Row>> {
  // A store and its transactions share one adapter. Another store may speak another SQL.
  const compiled = new WeakMap<object, CompiledQuery<Row>>();
  return (source, values) => {
    const { adapter } = source.getExecutor();
    let query = compiled.get(adapter);
    if (query === undefined) {
      query = build(source, places as Values).compile();
      compiled.set(adapter, query);
    }
    const given = values as Readonly<Record<string, unknown>>;
    const parameters = query.parameters.map((value) => (value instanceof Place ? given[value.name] : value));
    return source.executeQuery({ ...query, parameters });
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
