import type pg from 'pg';
import {
  CompiledQuery,
  PostgresIntrospector,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
} from 'kysely';
import { StoreFault } from '../fault.ts';
import { isPrepared } from '../prepared.ts';
import { PortableCompiler, type PostgresWays } from './adapter.ts';
import { faultOf, isAftermath } from './fault.ts';

/** The names under which a database keeps statements. */
export type StatementNames = (text: string) => string;

export function nameStatements(): StatementNames {
  const names = new Map<string, string>();
  return (text) => {
    const known = names.get(text) ?? `srup-${names.size + 1}`;
    names.set(text, known);
    return known;
  };
}

export function postgresDialect(adapter: PostgresWays, driver: Driver): Dialect {
  return {
    createAdapter: () => adapter,
    createDriver: () => driver,
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PortableCompiler(),
  };
}

/** A COMMIT was not answered as it should: the transaction is committed, or it isn't. */
export class Unsettled extends StoreFault {}

export class PostgresConnection implements DatabaseConnection {
  readonly client: pg.ClientBase;
  readonly #names: StatementNames;
  /** The last fault of a statement; not one that only repeats that an earlier one in its transaction failed. */
  fault: unknown;

  constructor(client: pg.ClientBase, names: StatementNames) {
    this.client = client;
    this.#names = names;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    try {
      const { rows, rowCount } = await this.client.query({
        text: query.sql,
        values: query.parameters.map(storable),
        ...(isPrepared(query) && { name: this.#names(query.sql) }),
      });
      return { rows: rows as Row[], numAffectedRows: BigInt(rowCount ?? 0) };
    } catch (fault) {
      // Statements are under way together. Whichever of them is heard first, the fault to tell is that of the first.
      if (!isAftermath(fault) || this.fault === undefined) this.fault = faultOf(fault);
      throw this.fault;
    }
  }

  // eslint-disable-next-line require-yield
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('this store reads whole pages, not streams');
  }
}

/** A text of a hostile device may hold U+0000, which PostgreSQL refuses, so that the device would not be heard at all. */
function storable(value: unknown): unknown {
  if (typeof value === 'string') return value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value;
  // The client writes a plain `Uint8Array` that stands in an array wrongly.
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length);
  return Array.isArray(value) ? value.map(storable) : value;
}

/** The verbs of transactions on one connection. */
export abstract class TransactionDriver implements Driver {
  abstract acquireConnection(): Promise<DatabaseConnection>;
  abstract releaseConnection(connection: DatabaseConnection): Promise<void>;
  abstract destroy(): Promise<void>;

  async init(): Promise<void> {
    // Connections are made when they are needed.
  }

  /** Waits for it: if it alone were cancelled, each statement after it would be a transaction of its own. */
  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin'));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    if (!(connection instanceof PostgresConnection)) throw new TypeError('a connection of another database');
    let command: string;
    try {
      ({ command } = await connection.client.query('commit'));
    } catch (fault) {
      throw new Unsettled('the database went away while it committed', { cause: fault });
    }
    if (command !== 'COMMIT')
      throw new StoreFault('a statement of the transaction failed, and its fault was lost');
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // On a connection that is lost there is nothing to take back.
    await connection.executeQuery(CompiledQuery.raw('rollback')).catch((fault: unknown) => {
      if (!(fault instanceof StoreFault)) throw fault;
    });
  }
}

/** The one connection that writes. */
export class WriterDriver extends TransactionDriver {
  readonly #acquire: () => Promise<DatabaseConnection>;

  constructor(acquire: () => Promise<DatabaseConnection>) {
    super();
    this.#acquire = acquire;
  }

  acquireConnection(): Promise<DatabaseConnection> {
    return this.#acquire();
  }

  async releaseConnection(): Promise<void> {
    // It stays: its session holds the lock.
  }

  async destroy(): Promise<void> {
    // Whoever opened the session ends it.
  }
}
