import type { Compilable, CompiledQuery, Kysely, QueryResult } from 'kysely';
import type { FleetTables } from './tables.ts';

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
 * A statement for the hot path: built and compiled by kysely once, which takes longer than to run it, and run with other
 * values each time. `build` sees places instead of values: it may put them into the statement, and nothing else.
 */
export function prepare<Values extends object, Row>(
  build: (store: Kysely<FleetTables>, values: Values) => Compilable<Row>,
): (store: Kysely<FleetTables>, values: Values) => Promise<QueryResult<Row>> {
  let compiled: CompiledQuery<Row> | undefined;
  return (store, values) => {
    compiled ??= build(store, places as Values).compile();
    const given = values as Readonly<Record<string, unknown>>;
    const parameters = compiled.parameters.map((value) =>
      value instanceof Place ? given[value.name] : value,
    );
    return store.executeQuery({ ...compiled, parameters });
  };
}
