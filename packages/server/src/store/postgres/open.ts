import pg from 'pg';
import { Kysely, sql } from 'kysely';
import { refuseCopied } from '../copied.ts';
import { OutcomeUnknown, StoreFault } from '../fault.ts';
import { createGroupCommit } from '../group-commit.ts';
import { migrate, refuseNewer } from '../migrate.ts';
import type { ReadOnly, Store, StoreOptions, Work, Write } from '../port.ts';
import type { Migrations } from '../schema/steps.ts';
import { createTransact, type Transact } from '../transact.ts';
import { PostgresWays } from './adapter.ts';
import { appliedSteps, copyNoteIn } from './contents.ts';
import {
  nameStatements,
  PostgresConnection,
  postgresDialect,
  ReaderDriver,
  Unsettled,
  WriterDriver,
} from './dialect.ts';
import { codeOf, isWorthRepeating } from './fault.ts';
import { urlOf, type PostgresPlace } from './place.ts';
import { clientConfig, connect } from './session.ts';
import { openWriter, type Writer } from './writer.ts';

/** Connections that read. */
const READERS = 4;
/** Attempts at a transaction that another one of the same database stood in the way of. */
const MOST_ATTEMPTS = 5;
/** How often, 5 seconds each, the database is waited for when it was lost while it committed. */
const SETTLE_ATTEMPTS = 2;

/** A database of PostgreSQL, and the schema in it that holds the tables. */
export interface PostgresStorePlace extends PostgresPlace {
  readonly schema: string;
}

/**
 * Opens a database of PostgreSQL, makes the tables if there are none, and brings them up to date. Waits for a database
 * that is away or starting, and says so. Rejects with `StoreError` when a person must change something: a wrong
 * password, an old version, another server on the same database, tables that a newer version wrote.
 *
 * @example
 * const place = { ...parsePostgresUrl('postgres://srup@db.example/srup', { password }), schema: 'srup' };
 * const store = await openPostgres<CoreTables>(place, coreMigrations);
 */
export async function openPostgres<Tables>(
  place: PostgresStorePlace,
  migrations: Migrations,
  options: StoreOptions = {},
): Promise<Store<Tables>> {
  const { schema } = place;
  const { tell = () => undefined } = options;
  const adapter = new PostgresWays();
  const names = nameStatements();
  let onBack: () => void = () => undefined;
  const writer = await openWriter(place, {
    schema,
    names,
    tell,
    onBack: () => {
      onBack();
    },
  });
  try {
    await bringUpToDate(place, migrations, options);
  } catch (fault) {
    await writer.end();
    throw fault;
  }
  const transact = createSafeTransact<Tables>(adapter, writer);
  const read = openReaders<Tables>(place, adapter);
  const group = createGroupCommit(transact, options);
  onBack = () => {
    group.announce([{ of: 'recovered', place: 0 }]);
  };
  return {
    read,
    add: group.add,
    commit: group.commit,
    listen: group.listen,
    close: async () => {
      await group.settle();
      await read.destroy();
      await writer.end();
    },
  };
}

/** Opens the tables for reading only; a server may be using them. They may be of an earlier version. */
export function openPostgresReadOnly<Tables>(place: PostgresStorePlace): ReadOnly<Tables> {
  const read = openReaders<Tables>(place, new PostgresWays());
  return { read, close: () => read.destroy() };
}

function openReaders<Tables>(place: PostgresStorePlace, adapter: PostgresWays): Kysely<Tables> {
  const pool = new pg.Pool({
    ...clientConfig(place, { schema: place.schema, name: 'srup: reads', isReadOnly: true, isTimed: true }),
    max: READERS,
  });
  // A connection that ends while it rests is replaced by the next one.
  pool.on('error', () => undefined);
  return new Kysely<Tables>({ dialect: postgresDialect(adapter, new ReaderDriver(pool, nameStatements())) });
}

/** On a connection of its own, without a timeout: a step may take as long as it needs. */
async function bringUpToDate(
  place: PostgresStorePlace,
  migrations: Migrations,
  { isForCopy }: StoreOptions,
): Promise<void> {
  const { schema } = place;
  const client = await connect(place, { schema, name: 'srup: migration' });
  const names = nameStatements();
  const driver = new WriterDriver(async () => new PostgresConnection(client, names));
  const kysely = new Kysely<unknown>({ dialect: postgresDialect(new PostgresWays(), driver) });
  try {
    if (isForCopy !== true) refuseCopied(await copyNoteIn(client), urlOf(place));
    refuseNewer(await appliedSteps(client), urlOf(place), migrations);
    await migrate(kysely, urlOf(place), migrations, schema);
  } finally {
    await kysely.destroy();
    await client.end();
  }
}

/**
 * Transactions whose outcome is known. Each has a number, which it writes: when the connection is lost while it commits,
 * the next connection reads whether the number is there.
 */
function createSafeTransact<Tables>(adapter: PostgresWays, writer: Writer): Transact<Tables> {
  const driver = new WriterDriver(() => writer.acquire());
  const dialect = postgresDialect(adapter, driver);
  const kysely = new Kysely<Tables>({ dialect });
  const once = createTransact({ kysely, dialect, driver });
  let turn = 0;

  /** Only the owner of the row can write: a server that lost its lock to another one can't. */
  async function takeTurn(write: Write<Tables>, mine: number): Promise<void> {
    const { rows } =
      await sql`update writer set turn = ${mine} where owner = ${writer.owner} returning turn`.execute(write);
    if (rows.length === 0) throw new StoreFault('another server uses the database now: restart this one');
  }

  async function attempt<Value>(work: Work<Tables, Value>, mine: number): Promise<Value> {
    return once(async (write) => {
      const turnTaken = takeTurn(write, mine);
      turnTaken.catch(() => undefined);
      try {
        return await work(write);
      } finally {
        await turnTaken; // if it failed, whatever followed did too
      }
    });
  }

  async function isCommitted(mine: number): Promise<boolean> {
    for (let tried = 1; ; tried++) {
      try {
        const { client } = await writer.acquire();
        const { rows } = await client.query<{ turn: number }>('select turn from writer where owner = $1', [
          writer.owner,
        ]);
        return (rows[0]?.turn ?? 0) >= mine;
      } catch (fault) {
        if (tried < SETTLE_ATTEMPTS) continue;
        throw new OutcomeUnknown('the database went away while it stored this: it is stored, or it is not', {
          cause: fault,
        });
      }
    }
  }

  return async (work) => {
    for (let attempts = 1; ; attempts++) {
      const mine = ++turn;
      let made: { readonly value: Awaited<ReturnType<typeof work>> } | undefined;
      try {
        return await attempt(async (write) => {
          const value = await work(write);
          made = { value };
          return value;
        }, mine);
      } catch (fault) {
        if (fault instanceof Unsettled && made !== undefined) {
          if (await isCommitted(mine)) return made.value;
          throw new StoreFault(fault.message, { cause: fault });
        }
        if (isReadOnly(fault)) writer.drop();
        if (!isWorthRepeating(fault) || attempts === MOST_ATTEMPTS) throw fault;
      }
    }
  };
}

/** After a fail-over this machine may be the standby. The next connection may lead to the other one. */
function isReadOnly(fault: unknown): boolean {
  return fault instanceof StoreFault && codeOf(fault.cause) === '25006';
}
