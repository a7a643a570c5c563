import type { Compilable, CompiledQuery, QueryResult } from 'kysely';
import type { Read, Write } from './port.ts';
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
export function prepare<
  Values extends object,
  Row,
  Source extends Read<FleetTables> | Write<FleetTables> = Read<FleetTables>,
>(
  build: (source: Source, values: Values) => Compilable<Row>,
): (source: Source, values: Values) => Promise<QueryResult<Row>> {
  let compiled: CompiledQuery<Row> | undefined;
  return (source, values) => {
    compiled ??= build(source, places as Values).compile();
    const given = values as Readonly<Record<string, unknown>>;
    const parameters = compiled.parameters.map((value) =>
      value instanceof Place ? given[value.name] : value,
    );
    return source.executeQuery({ ...compiled, parameters });
  };
}
