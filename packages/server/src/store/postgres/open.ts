import { setTimeout as pause } from 'node:timers/promises';
import { Kysely } from 'kysely';
import { backoffMs, systemRandom } from '@srup/node';
import { refuseCopied } from '../copied.ts';
import { DatabaseAway, StoreError, StoreFault } from '../fault.ts';
import { createGroupCommit } from '../group-commit.ts';
import { migrate, refuseNewer } from '../migrate.ts';
import type { ReadOnly, Store, StoreOptions } from '../port.ts';
import type { Migrations } from '../schema/steps.ts';
import { PostgresWays } from './adapter.ts';
import { appliedSteps, copyNoteIn } from './schemas/contents.ts';
import { nameStatements, PostgresConnection, postgresDialect, WriterDriver } from './dialect.ts';
import { isPassing, wordsOf } from './fault.ts';
import { urlOf, type PostgresStorePlace } from './place.ts';
import { openReaders } from './readers.ts';
import { createSafeTransact } from './safe-transact.ts';
import { connect, connectionFault } from './session.ts';
import { AGAIN, TELL_EVERY, TIMES, type Times } from './times.ts';
import { openWriter } from './writer.ts';

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
  times: Times = TIMES,
): Promise<Store<Tables>> {
  const { schema } = place;
  const { tell = () => undefined, onConnection = () => undefined } = options;
  const adapter = new PostgresWays();
  let lastTurn = (): number => 0;
  let onBack: () => void = () => undefined;
  const writer = await openWriter(place, {
    ...{ schema, times, tell, names: nameStatements() },
    lastTurn: () => lastTurn(),
    onState: (state) => {
      onConnection(state);
      if (state === 'back') onBack();
    },
  });
  try {
    await bringUpToDateAtLast(place, migrations, options);
  } catch (fault) {
    await writer.end();
    throw fault;
  }
  const safe = createSafeTransact<Tables>(adapter, writer, times);
  lastTurn = safe.lastTurn;
  const readers = openReaders<Tables>(place, {
    ...{ schema, adapter, times },
    // What is read now may be of before a transaction that is committed all the same.
    check: () => {
      if (safe.isUnsettled()) throw new DatabaseAway('the database is away');
    },
    faultOf: (fault) => new DatabaseAway(`the database is away: ${wordsOf(fault)}`, { cause: fault }),
  });
  const group = createGroupCommit(safe.transact, options);
  onBack = () => {
    // They may lead to the machine of before a fail-over, which knows nothing of what is written from now on.
    readers.renew();
    group.announce([{ of: 'recovered', place: 0 }]);
  };
  return {
    read: readers.read,
    add: group.add,
    commit: group.commit,
    listen: group.listen,
    close: async () => {
      await group.settle();
      await readers.end();
      await writer.end();
    },
  };
}

/** Opens the tables for reading only; a server may be using them. They may be of an earlier version. */
export function openPostgresReadOnly<Tables>(place: PostgresStorePlace): ReadOnly<Tables> {
  const readers = openReaders<Tables>(place, {
    ...{ schema: place.schema, adapter: new PostgresWays(), times: TIMES },
    faultOf: (fault) => connectionFault(place, fault),
  });
  return { read: readers.read, close: () => readers.end() };
}

const NO_TIMEOUT = ['statement_timeout=0', 'idle_in_transaction_session_timeout=0'];

async function bringUpToDateAtLast(
  place: PostgresStorePlace,
  migrations: Migrations,
  options: StoreOptions,
): Promise<void> {
  let last = '';
  for (let failures = 1; ; failures++) {
    try {
      await bringUpToDate(place, migrations, options);
      return;
    } catch (fault) {
      const trouble = fault instanceof StoreError ? fault.cause : fault;
      if (!(trouble instanceof StoreFault) || !isPassing(trouble)) throw fault;
      const why = wordsOf(trouble);
      if (failures % TELL_EVERY === 1 || why !== last)
        options.tell?.(`the tables of ${urlOf(place)} could not be brought up to date yet: ${why}`);
      last = why;
      await pause(backoffMs(failures, AGAIN, systemRandom.unit()));
    }
  }
}

function emptied(place: PostgresStorePlace): string {
  return (
    `The schema "${place.schema}" of ${urlOf(place)} is empty, but this server worked with it before. If it began anew, it would ` +
    'forget its devices and use its numbers twice. Restore a backup into a new folder (srup restore), or bring back the database.'
  );
}

/** On a connection of its own, without a timeout: a step may take as long as it needs. */
async function bringUpToDate(
  place: PostgresStorePlace,
  migrations: Migrations,
  { isForCopy, isKnown }: StoreOptions,
): Promise<void> {
  const { schema } = place;
  const { client, end } = await connect(place, { schema, name: 'srup: migration', settings: NO_TIMEOUT });
  const names = nameStatements();
  const driver = new WriterDriver(async () => new PostgresConnection(client, names));
  const kysely = new Kysely<unknown>({ dialect: postgresDialect(new PostgresWays(), driver) });
  try {
    if (isForCopy !== true) refuseCopied(await copyNoteIn(client), urlOf(place));
    const applied = await appliedSteps(client);
    if (isKnown === true && applied.length === 0) throw new StoreError(emptied(place));
    refuseNewer(applied, urlOf(place), migrations);
    await migrate(kysely, urlOf(place), migrations, schema);
  } finally {
    await kysely.destroy();
    await end();
  }
}
