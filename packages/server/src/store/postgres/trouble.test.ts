import { sql } from 'kysely';
import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { until } from '@srup/node/testing';
import { isMissing } from '../../../../../scripts/system-programs.ts';
import { postgresFor } from '../../../../../test/support/postgres-for.ts';
import { startWireProxy, type WireProxy } from '../../../../../test/support/postgres-wire.ts';
import { placeAt } from '../../../test/postgres.ts';
import { behind } from '../../../test/database.ts';
import { idsIn, insert, noteMigrations, type NoteTables } from '../../../test/store-suite.ts';
import { DatabaseAway, OutcomeUnknown, StoreFault } from '../fault.ts';
import type { Store, StoreOptions } from '../port.ts';
import { openPostgres, openPostgresReadOnly } from './open.ts';
import { TIMES, type Times } from './times.ts';

/** Short enough for a test, long enough for a busy machine. */
const QUICK: Times = {
  ...TIMES,
  statementMs: 2_000,
  patienceMs: 1_500,
  settleMs: 1_500,
  lockMs: 1_500,
  endMs: 500,
};

interface Scene {
  readonly url: string;
  readonly proxy: WireProxy;
  /** The store, behind the proxy. */
  readonly store: Store<NoteTables>;
  readonly told: string[];
  readonly states: string[];
  /** What is there, read past the proxy. */
  readonly direct: () => Promise<readonly number[]>;
}

type Later = (step: () => Promise<void>) => void;

async function openAt(url: string, later: Later, options: StoreOptions = {}): Promise<Store<NoteTables>> {
  const store = await openPostgres<NoteTables>(placeAt(url), noteMigrations, options, QUICK);
  later(() => store.close());
  return store;
}

async function stage(later: Later): Promise<Scene> {
  const url = await postgresFor(later);
  const proxy = await startWireProxy(Number(new URL(url).port));
  later(() => proxy.close());
  const [told, states]: [string[], string[]] = [[], []];
  const store = await openAt(proxy.through(url), later, {
    tell: (what) => told.push(what),
    onConnection: (state) => states.push(state),
  });
  return {
    ...{ url, proxy, store, told, states },
    direct: async () => {
      const reading = openPostgresReadOnly<NoteTables>(placeAt(url));
      const rows = await reading.read.selectFrom('notes').select('id').orderBy('id').execute();
      await reading.close();
      return rows.map(({ id }) => id);
    },
  };
}

/** A session of the database's superuser. */
async function superuser(url: string, later: Later): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  later(() => client.end());
  return client;
}

const END_SESSIONS =
  "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like 'srup: %'";

const outcomeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'stored',
    (fault: unknown) => fault,
  );

describe.skipIf(isMissing('postgres'))('PostgreSQL in trouble', () => {
  test.for(['cut-before', 'cut-after', 'silence'] as const)(
    'a COMMIT whose connection meets its end (%s) is stored once, and its caller learns of it',
    async (fate, context) => {
      const { proxy, store, states, direct } = await stage((step) => {
        context.onTestFinished(step);
      });
      await insert(store, 1);
      const met = proxy.atNextCommit(fate);
      const outcomes = Promise.all([2, 3, 4].map((id) => outcomeOf(insert(store, id))));
      await met;
      expect(await outcomes).toEqual(['stored', 'stored', 'stored']);
      await insert(store, 5);
      expect(await idsIn(store)).toEqual([1, 2, 3, 4, 5]);
      expect(await direct()).toEqual([1, 2, 3, 4, 5]);
      expect(states).toEqual(['lost', 'back']);
    },
  );

  test.for([
    ['cut-before', [1]],
    ['cut-after', [1, 2]],
  ] as const)(
    'a database that stays away after a COMMIT (%s): the outcome is unknown until it is back',
    async ([fate, ids], context) => {
      const { proxy, store, told, direct } = await stage((step) => {
        context.onTestFinished(step);
      });
      await insert(store, 1);
      let recoveries = 0;
      store.listen('recovered', () => (recoveries += 1));
      const met = proxy.atNextCommit(fate);
      const outcome = outcomeOf(insert(store, 2));
      await met;
      proxy.setShut(true);
      expect(await outcome).toBeInstanceOf(OutcomeUnknown);
      expect(await direct()).toEqual(ids);
      // What is read now could be of before it: nothing is.
      await expect(idsIn(store)).rejects.toThrow(DatabaseAway);
      // Whatever comes meanwhile is refused at once, and not stored.
      const begun = performance.now();
      const later = await Promise.all([3, 4, 5].map((id) => outcomeOf(insert(store, id))));
      for (const fault of later)
        expect(fault).toMatchObject({ name: 'StoreFault', cause: { name: 'DatabaseAway' } });
      expect(performance.now() - begun).toBeLessThan(QUICK.patienceMs);
      proxy.setShut(false);
      await until('it is back', () => recoveries > 0);
      expect(await idsIn(store)).toEqual(ids);
      await insert(store, 6);
      expect(await idsIn(store)).toEqual([...ids, 6]);
      expect(told).toEqual(expect.arrayContaining([expect.stringMatching(/is lost; nothing is taken/)]));
      expect(told.at(-1)).toMatch(/is there$/);
    },
  );

  test('a network that swallows everything is noticed, by what writes and by what reads', async ({
    onTestFinished,
  }) => {
    const { proxy, store, states } = await stage(onTestFinished);
    await insert(store, 1);
    expect(await idsIn(store)).toEqual([1]);
    proxy.swallow();
    const begun = performance.now();
    expect(await outcomeOf(insert(store, 2))).toBe('stored');
    expect(performance.now() - begun).toBeLessThan(3 * QUICK.statementMs);
    expect(states).toEqual(['lost', 'back']);
    expect(await idsIn(store)).toEqual([1, 2]);
  });

  test('a reader whose connection swallows everything is replaced, and its place is not lost', async ({
    onTestFinished,
  }) => {
    const { proxy, store } = await stage(onTestFinished);
    await insert(store, 1);
    for (let round = 0; round < 2; round++) {
      await Promise.all(Array.from({ length: 8 }, () => idsIn(store)));
      proxy.swallow();
      const reads = await Promise.all(Array.from({ length: 8 }, () => outcomeOf(idsIn(store))));
      // Those that had a connection fail in bounded time.
      expect(reads.some((read) => read instanceof StoreFault)).toBe(true);
      expect(await idsIn(store)).toEqual([1]);
    }
  });

  test('a query that hangs holds one place, and is ended', async ({ onTestFinished }) => {
    const { store } = await stage(onTestFinished);
    const hanging = outcomeOf(sql`select pg_sleep(60)`.execute(behind(store)));
    expect(await idsIn(store)).toEqual([]);
    expect(await hanging).toBeInstanceOf(StoreFault);
    expect(await idsIn(store)).toEqual([]);
  });

  test('sessions that PostgreSQL ends are replaced, and work under way is done once', async ({
    onTestFinished,
  }) => {
    const { url, store } = await stage(onTestFinished);
    const client = await superuser(url, onTestFinished);
    const ending = new AbortController();
    const done: number[] = [];
    const writing = (async () => {
      for (let id = 1; !ending.signal.aborted; id++) {
        await insert(store, id);
        done.push(id);
      }
    })();
    const reading = Array.from({ length: 4 }, async () => {
      while (!ending.signal.aborted) await outcomeOf(sql`select pg_sleep(0.05)`.execute(behind(store)));
    });
    for (let kills = 0; kills < 4; kills++) {
      const before = done.length;
      await until('something is stored', () => done.length > before + 3);
      await client.query(END_SESSIONS);
    }
    ending.abort();
    await Promise.all([writing, ...reading]);
    expect(await idsIn(store)).toEqual(done);
  });

  test('closes in bounded time over a network that swallows everything', async ({ onTestFinished }) => {
    const { proxy, store } = await stage(onTestFinished);
    await idsIn(store);
    proxy.swallow();
    const begun = performance.now();
    await store.close();
    expect(performance.now() - begun).toBeLessThan(5_000);
  });

  test('when all readers are in use the next one waits, and the database does not count as away', async ({
    onTestFinished,
  }) => {
    const place = placeAt(await postgresFor(onTestFinished));
    const times = { ...TIMES, connectMs: 1_000 };
    const store = await openPostgres<NoteTables>(place, noteMigrations, {}, times);
    onTestFinished(() => store.close());
    const slow = Array.from({ length: 4 }, () => sql`select pg_sleep(2)`.execute(behind(store)));
    expect(await idsIn(store)).toEqual([]);
    await Promise.all(slow);
  });

  test('closed while it connects anew, it leaves no session and no lock behind', async ({
    onTestFinished,
  }) => {
    const { proxy, url, store, states } = await stage(onTestFinished);
    proxy.setShut(true);
    const client = await superuser(url, onTestFinished);
    await client.query(END_SESSIONS);
    await until('it is lost', () => states.length > 0);
    proxy.setShut(false);
    await store.close();
    await until('nobody is connected', async () => {
      const { rows } = await client.query(
        "select 1 from pg_stat_activity where application_name like 'srup: %' and datname = current_database()",
      );
      return rows.length === 0;
    });
    await (await openAt(url, onTestFinished)).close();
  });

  test('closes while the database is away', async ({ onTestFinished }) => {
    const { proxy, url, store, states } = await stage(onTestFinished);
    proxy.setShut(true);
    await (await superuser(url, onTestFinished)).query(END_SESSIONS);
    await until('it is lost', () => states.length > 0);
    const begun = performance.now();
    await store.close();
    expect(performance.now() - begun).toBeLessThan(QUICK.patienceMs);
  });

  test('another server on the same database is refused in words, and can start when the first has ended', async ({
    onTestFinished,
  }) => {
    const { url, store } = await stage(onTestFinished);
    await expect(openAt(url, onTestFinished)).rejects.toThrow(
      /^Another server \(PostgreSQL's process \d+, from 127\.0\.0\.1, since .* UTC\) uses the database .*stop the other one/,
    );
    await store.close();
    await openAt(url, onTestFinished);
  });

  test('another server of a role that PostgreSQL does not show: nothing is said that is not known', async ({
    onTestFinished,
  }) => {
    const { url } = await stage(onTestFinished);
    const client = await superuser(url, onTestFinished);
    const place = new URL(url);
    const name = `guest_${place.pathname.slice(1)}`;
    await client.query(`create role ${name} login password 'guest'`);
    await client.query(`grant usage on schema srup to ${name}`);
    [place.username, place.password] = [name, 'guest'];
    await expect(openAt(place.href, onTestFinished)).rejects.toThrow(
      /^Another server \(PostgreSQL's process \d+\) uses the database /,
    );
    await client.query(`drop owned by ${name}; drop role ${name}`);
  });

  test('waits for a database that is away at the start, and says so with the reason', async ({
    onTestFinished,
  }) => {
    const url = await postgresFor(onTestFinished);
    const proxy = await startWireProxy(Number(new URL(url).port));
    onTestFinished(() => proxy.close());
    proxy.setShut(true);
    const told: string[] = [];
    const opening = openAt(proxy.through(url), onTestFinished, { tell: (what) => told.push(what) });
    await until('it says so', () => told.length > 0);
    expect(told[0]).toMatch(/^the server waits for the database postgres:\/\/.*: Connection terminated/);
    proxy.setShut(false);
    const store = await opening;
    await insert(store, 1);
    expect(told.at(-1)).toMatch(/is there$/);
  });

  test('two servers: the first lost its session, the second has the lock; the first can commit nothing', async ({
    onTestFinished,
  }) => {
    const { url, proxy, store, told } = await stage(onTestFinished);
    await insert(store, 1);
    proxy.setShut(true);
    proxy.swallow();
    // PostgreSQL ends the session of the first, as it does when its machine is gone.
    const client = await superuser(url, onTestFinished);
    await client.query(END_SESSIONS);
    const second = await openAt(url, onTestFinished);
    await insert(second, 2);
    proxy.setShut(false);
    expect(await outcomeOf(insert(store, 3))).toBeInstanceOf(StoreFault);
    await second.close();
    await until('it says so', () =>
      told.some((what) => what.includes('another server has used the database')),
    );
    expect(await outcomeOf(insert(store, 4))).toMatchObject({
      message: expect.stringMatching(/another server has used the database meanwhile/) as string,
    });
    const third = await openAt(url, onTestFinished);
    expect(await idsIn(third)).toEqual([1, 2]);
  });

  test('a database that forgot what was committed is not used: numbers would be used twice', async ({
    onTestFinished,
  }) => {
    const { url, store, proxy, told } = await stage(onTestFinished);
    for (const id of [1, 2, 3]) await insert(store, id);
    proxy.setShut(true);
    const client = await superuser(url, onTestFinished);
    await client.query(END_SESSIONS);
    // As on a standby that had not got the last two transactions yet.
    await client.query('update srup.writer set turn = turn - 2');
    proxy.setShut(false);
    await until('it says so', () => told.some((what) => what.includes('has lost 2 transactions')));
    expect(await outcomeOf(insert(store, 4))).toMatchObject({
      message: expect.stringMatching(/has lost 2 transactions that were committed/) as string,
    });
  });
});
