/** The connections that read: a few, which are replaced when they die. */
import type { Socket } from 'node:net';
import { Kysely, type DatabaseConnection } from 'kysely';
import pg from 'pg';
import { realDelay, within } from '@srup/node';
import { StoreFault } from '../fault.ts';
import type { PostgresWays } from './adapter.ts';
import { nameStatements, PostgresConnection, postgresDialect, TransactionDriver } from './dialect.ts';
import type { PostgresPlace } from './place.ts';
import { clientConfig } from './session.ts';
import type { Times } from './times.ts';

/** Connections that read. */
const READERS = 4;

export interface Readers<Tables> {
  readonly read: Kysely<Tables>;
  /** Gives up all connections: those that are asked for from now on are new, and may lead to another machine. */
  renew(): void;
  end(): Promise<void>;
}

export interface ReaderOptions {
  readonly schema: string;
  readonly adapter: PostgresWays;
  readonly times: Times;
  /** Called before each statement; throws when nothing may be read now. */
  readonly check?: () => void;
  /** Says why there is no connection. */
  readonly faultOf: (fault: unknown) => unknown;
}

/**
 * Opens connections when they are needed.
 *
 * @example
 * const readers = openReaders<CoreTables>(place, { schema: 'srup', adapter, times: TIMES, faultOf });
 * await readers.read.selectFrom('devices').selectAll().execute();
 */
export function openReaders<Tables>(place: PostgresPlace, options: ReaderOptions): Readers<Tables> {
  const driver = new ReaderDriver(place, options);
  const read = new Kysely<Tables>({ dialect: postgresDialect(options.adapter, driver) });
  return {
    read,
    renew: () => {
      driver.renew();
    },
    end: () => read.destroy(),
  };
}

/** Connections of one time: after `renew` there are others. */
interface Generation {
  readonly pool: pg.Pool;
  readonly sockets: Set<Socket>;
  /** Tells those who wait for a connection that there will be none any more. */
  readonly waiting: Set<() => void>;
}

/** Waits for a free connection, however long the others are in use. Undefined: there will be none any more. */
function leaseOf({ pool, waiting }: Generation): Promise<pg.PoolClient | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<pg.PoolClient | undefined>();
  // Not a race against the end of all: that would keep something of each read until then.
  const giveUp = () => {
    waiting.delete(giveUp);
    resolve(undefined);
  };
  waiting.add(giveUp);
  pool.connect().then(
    (client) => {
      if (waiting.delete(giveUp)) resolve(client);
      else client.release(true);
    },
    (fault: unknown) => {
      if (waiting.delete(giveUp)) reject(fault);
    },
  );
  return promise;
}

/** The pool's own timeout would count the wait for a free connection too; but the database is not in trouble then. */
class TimedClient extends pg.Client {
  constructor(config: pg.ClientConfig & { readonly connectMs?: number } = {}) {
    const { password, connectMs } = config; // the pool hides the password from those who list its options
    super({
      ...config,
      ...(password !== undefined && { password }),
      ...(connectMs !== undefined && { connectionTimeoutMillis: connectMs }),
    });
  }
}

class ReaderDriver extends TransactionDriver {
  readonly #place: PostgresPlace;
  readonly #options: ReaderOptions;
  readonly #names = nameStatements();
  readonly #leases = new WeakMap<DatabaseConnection, pg.PoolClient>();
  readonly #ending = new Set<Promise<void>>();
  #generation: Generation;
  #isOver = false;

  constructor(place: PostgresPlace, options: ReaderOptions) {
    super();
    this.#place = place;
    this.#options = options;
    this.#generation = this.#begin();
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    const { check, faultOf } = this.#options;
    let client: pg.PoolClient | undefined;
    // Whoever waits when the connections are given up waits for one of the next ones.
    while (client === undefined) {
      if (this.#isOver) throw new StoreFault('the database is closed');
      check?.();
      client = await leaseOf(this.#generation).catch((fault: unknown) => {
        throw faultOf(fault);
      });
    }
    const connection = new PostgresConnection(client, this.#names);
    this.#leases.set(connection, client);
    return connection;
  }

  /** A connection on which the database was in trouble is not used again: what it was asked may still be under way. */
  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    const isTrouble = connection instanceof PostgresConnection && connection.fault instanceof StoreFault;
    this.#leases.get(connection)?.release(isTrouble);
  }

  renew(): void {
    const former = this.#generation;
    this.#generation = this.#begin();
    this.#end(former);
  }

  async destroy(): Promise<void> {
    this.#isOver = true;
    this.#end(this.#generation);
    await Promise.all(this.#ending);
  }

  #begin(): Generation {
    const { schema, times } = this.#options;
    const sockets = new Set<Socket>();
    const session = { schema, name: 'srup: reads', isReadOnly: true, isTimed: true, times };
    const config = clientConfig(this.#place, session, (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    const pool = new pg.Pool({
      ...config,
      ...{ max: READERS, connectionTimeoutMillis: 0, connectMs: times.connectMs },
      Client: TimedClient,
    });
    // A connection that ends while it rests is replaced by the next one.
    pool.on('error', () => undefined);
    // One that ends while it is in use fails its statement; without this it would end the process as well.
    pool.on('connect', (client) => client.on('error', () => undefined));
    return { pool, sockets, waiting: new Set() };
  }

  /** What is being read may end; a network that swallows everything can't hold this up. */
  #end({ pool, sockets, waiting }: Generation): void {
    for (const giveUp of waiting) giveUp();
    const { endMs } = this.#options.times;
    const ending = within(realDelay, endMs, pool.end(), 'reading did not end')
      .catch(() => undefined)
      .then(() => {
        for (const socket of sockets) socket.destroy();
        this.#ending.delete(ending);
      });
    this.#ending.add(ending);
  }
}
