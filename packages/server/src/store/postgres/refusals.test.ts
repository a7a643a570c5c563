import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '@srup/node/testing';
import { isMissing } from '../../../../../scripts/system-programs.ts';
import { startPgbouncer } from '../../../../../test/support/pgbouncer.ts';
import { startPostgres, type Postgres } from '../../../../../test/support/postgres.ts';
import { makeAuthority } from '../../../test/authority.ts';
import { startIn } from '../../../test/http/running.ts';
import { toldOf } from '../../../test/database.ts';
import { placeAt } from '../../../test/postgres.ts';
import { idsIn, insert, noteMigrations, type NoteTables } from '../../../test/store-suite.ts';
import { StoreError, StoreFault } from '../fault.ts';
import type { Store } from '../port.ts';
import { connect } from './session.ts';
import { faultOf, isWorthRepeating } from './fault.ts';
import { judgeServer } from './judge.ts';
import { openPostgres } from './open.ts';
import type { PostgresStorePlace } from './place.ts';
import { parsePostgresUrl, urlOf } from './place.ts';
import { TIMES } from './times.ts';

type Later = (step: () => Promise<void>) => void;

async function open(
  place: PostgresStorePlace,
  later: Later,
  tell?: (what: string) => void,
): Promise<Store<NoteTables>> {
  const store = await openPostgres<NoteTables>(place, noteMigrations, { tell }, { ...TIMES, lockMs: 1_000 });
  later(() => store.close());
  return store;
}

/** Opens it in the background; what it says while it waits. */
function opening(
  place: PostgresStorePlace,
  later: Later,
): { told: string[]; store: Promise<Store<NoteTables>> } {
  const told: string[] = [];
  return { told, store: open(place, later, (what) => told.push(what)) };
}

describe('the URL of a database', () => {
  test.for([
    ['postgres://u:secret@db/x', /holds a password.*SRUP_DATABASE_PASSWORD/],
    ['postgres://u@db/x?sslmode=disable', /the parameter "sslmode".*TLS is on by default/],
    ['mysql://u@db/x', /is not the URL of a database/],
    ['postgres://db/x', /names no user/],
    ['postgres://u@db/', /names no database/],
    ['postgres://u%zz@db/x', /"u%zz" in the URL of the database can't be read/],
  ] as const)('%s is refused in words', ([url, words]) => {
    expect(() => parsePostgresUrl(url)).toThrow(words);
    expect(() => parsePostgresUrl(url)).not.toThrow(/secret/);
  });

  test.for([
    ['postgres://u@db.example/x', {}, 'tls'],
    ['postgres://u@10.0.0.1/x', {}, 'tls'],
    ['postgres://u@db.example/x', { insecurePlain: true }, 'plain'],
    ['postgres://u@localhost/x', {}, 'loopback'],
    ['postgres://u@localhost/x', { ca: 'pem' }, 'tls'],
    ['postgres:///x?host=/run/postgresql&user=u', {}, 'loopback'],
    ['postgres://u@[::1]:6543/x', {}, 'loopback'],
    ['postgres://u@[2001:db8::7]/x', {}, 'tls'],
  ] as const)('%s with %j: %s', ([url, access, transport]) => {
    const place = parsePostgresUrl(url, access);
    expect(place.transport).toBe(transport);
    expect(place.host).not.toContain('[');
    expect(parsePostgresUrl(urlOf(place), access)).toEqual(place);
  });
});

test('a version that is too old is refused in words', () => {
  const place = parsePostgresUrl('postgres://u@db/x');
  const facts = { version: 140_011, encoding: 'UTF8', standby: false, pid: 1, path: 's', durability: 'on' };
  const wanted = { place, schema: 's', told: 1, isReadOnly: false };
  expect(() => {
    judgeServer(facts, wanted);
  }).toThrow(/is PostgreSQL 14\. Use 15 or newer/);
  judgeServer({ ...facts, version: 150_000 }, wanted);
});

describe.skipIf(isMissing('postgres'))('PostgreSQL that can not be used as it is', () => {
  let postgres: Postgres;

  beforeAll(async () => {
    postgres = await startPostgres({ fsync: false });
  });
  afterAll(() => postgres.clear());

  /** A place for a role that is not a superuser. */
  async function placeOf(role: string, more: readonly string[] = []): Promise<PostgresStorePlace> {
    const url = new URL(await postgres.createDatabase());
    const database = url.pathname.slice(1);
    await postgres.query(`create role ${role} login password 'word of ${role}'`);
    for (const statement of more) await postgres.query(statement.replaceAll('DATABASE', database), database);
    url.username = role;
    url.password = `word of ${role}`;
    return placeAt(url.href);
  }

  test('a wrong password', async ({ onTestFinished }) => {
    const place = placeAt((await postgres.createDatabase()).replace(postgres.password, 'guessed'));
    const refused = open(place, onTestFinished);
    await expect(refused).rejects.toThrow(/password authentication failed.*SRUP_DATABASE_PASSWORD/);
    await expect(refused).rejects.toBeInstanceOf(StoreError);
    await expect(refused).rejects.not.toThrow(/guessed/);
  });

  test('no password', async ({ onTestFinished }) => {
    const { password: _none, ...place } = placeAt(await postgres.createDatabase());
    await expect(open(place, onTestFinished)).rejects.toThrow(
      /asks for a password, and none was given\. .*--database-password-file/,
    );
  });

  test.for(['srup', 'srup_keys'])(
    'a server does not begin anew when the schema %s of its database is gone',
    async (schema, { onTestFinished }) => {
      const folder = await mkdtemp(join(tmpdir(), 'srup-refusals-'));
      onTestFinished(() => rm(folder, { recursive: true }));
      const place = placeAt(await postgres.createDatabase());
      const database = toldOf({ kind: 'postgres', ...place });
      await (await startIn(join(folder, 'server'), database)).close();
      await (await startIn(join(folder, 'server'), database)).close(); // control
      await postgres.query(`drop schema ${schema} cascade`, place.database);
      await expect(startIn(join(folder, 'server'), database)).rejects.toThrow(
        new RegExp(`schema "${schema}" of .* is empty, but this server worked with it before.*srup restore`),
      );
    },
  );

  test('no such database', async ({ onTestFinished }) => {
    const place = placeAt(postgres.url.replace(/\/postgres$/, '/nowhere'));
    await expect(open(place, onTestFinished)).rejects.toThrow(/"nowhere" does not exist.*createdb --owner/);
  });

  test('an encoding that can not hold every text', async ({ onTestFinished }) => {
    await postgres.query("create database latin encoding 'LATIN1' template template0");
    const place = placeAt(postgres.url.replace(/\/postgres$/, '/latin'));
    await expect(open(place, onTestFinished)).rejects.toThrow(/has the encoding LATIN1.*--encoding UTF8/);
  });

  test('a user without rights learns what to do; one with a schema of its own needs no more', async ({
    onTestFinished,
  }) => {
    await expect(open(await placeOf('guest'), onTestFinished)).rejects.toThrow(
      /permission denied for database.*Make the user the owner/,
    );
    const place = await placeOf('tenant', ['create schema srup authorization tenant']);
    await insert(await open(place, onTestFinished), 1);
  });

  test('a user who may not log in', async ({ onTestFinished }) => {
    const place = await placeOf('banned', ['alter role banned nologin']);
    await expect(open(place, onTestFinished)).rejects.toThrow(/not permitted to log in/);
  });

  test('too many connections: it waits, says so, and goes on', async ({ onTestFinished }) => {
    const place = await placeOf('many', [
      'alter database "DATABASE" owner to many',
      'alter role many connection limit 0',
    ]);
    const { told, store } = opening(place, onTestFinished);
    await until('it says so', () => told.length > 0);
    expect(told[0]).toMatch(/^the server waits for the database .*: too many connections for role "many"$/);
    await postgres.query('alter role many connection limit -1');
    await insert(await store, 1);
  });

  test('a database that may only be read: it waits; later it stores nothing, and goes on by itself', async ({
    onTestFinished,
  }) => {
    const url = await postgres.createDatabase();
    const readOnly = async (isOn: boolean) => {
      await postgres.query(`alter system set default_transaction_read_only = ${isOn ? 'on' : 'off'}`);
      await postgres.query('select pg_reload_conf()');
    };
    onTestFinished(() => readOnly(false));
    await readOnly(true);
    const { told, store: waiting } = opening(placeAt(url), onTestFinished);
    await until('it says so', () => told.length > 0);
    expect(told[0]).toMatch(/read-only transaction/);
    await readOnly(false);
    const store = await waiting;
    await insert(store, 1);
    await readOnly(true);
    await until('it is refused', () =>
      insert(store, 2).then(
        () => false,
        (fault: unknown) => fault instanceof StoreFault,
      ),
    );
    await readOnly(false);
    await until('it is stored', () =>
      insert(store, 3).then(
        () => true,
        () => false,
      ),
    );
    expect(await idsIn(store)).toContain(3);
  });

  test('settings for everybody that would lose or bend what is stored do not count', async ({
    onTestFinished,
  }) => {
    const url = await postgres.createDatabase();
    const name = new URL(url).pathname.slice(1);
    const settings = [
      "bytea_output = 'escape'",
      'synchronous_commit = off',
      'statement_timeout = 300',
      'idle_session_timeout = 300',
    ];
    for (const setting of settings) await postgres.query(`alter database "${name}" set ${setting}`);
    const store = await open(placeAt(url), onTestFinished);
    await store.commit(async (write) => {
      const { sql } = await import('kysely');
      const bytes = Uint8Array.from([0, 1, 92, 255]);
      const { rows } = await sql<{ bytes: Uint8Array; durable: string }>`
        select ${bytes}::bytea as bytes, current_setting('synchronous_commit') as durable`.execute(write);
      expect(rows).toEqual([{ bytes, durable: 'on' }]);
      await sql`select pg_sleep(0.5)`.execute(write);
    });
    const states = await postgres.query<{ pid: number }>(
      "select pid from pg_stat_activity where application_name = 'srup: writes' and state = 'idle'",
    );
    await new Promise((resolve) => setTimeout(resolve, 700));
    await insert(store, 1);
    const later = await postgres.query<{ pid: number }>(
      "select pid from pg_stat_activity where application_name = 'srup: writes' and state = 'idle'",
    );
    expect(later).toEqual(states);
  });

  test.skipIf(isMissing('pgbouncer')).for(['transaction', 'session', 'statement'] as const)(
    'a pooler in front (%s) is refused in words',
    async (poolMode, { onTestFinished }) => {
      const bouncer = await startPgbouncer(postgres, { poolMode });
      onTestFinished(() => bouncer.clear());
      const place = placeAt(bouncer.through(await postgres.createDatabase()));
      await expect(open(place, onTestFinished)).rejects.toThrow(/pooler.*Name PostgreSQL itself/);
    },
  );

  test('a text with U+0000 is stored, and found', async ({ onTestFinished }) => {
    const store = await open(placeAt(await postgres.createDatabase()), onTestFinished);
    await insert(store, 1, 'a\0b\ud800');
    const rows = await store.read
      .selectFrom('notes')
      .select('text')
      .where('text', '=', 'a\0b\ud800')
      .execute();
    expect(rows).toEqual([{ text: 'a\uFFFDb\uFFFD' }]);
  });

  test.for([
    ['40001', 'again'],
    ['40P01', 'again'],
    ['08006', 'store'],
    ['53100', 'store'],
    ['53200', 'store'],
    ['53300', 'store'],
    ['57014', 'store'],
    ['57P01', 'store'],
    ['57P03', 'store'],
    ['25006', 'store'],
    ['25P03', 'store'],
    ['42501', 'store'],
    ['58030', 'store'],
    ['XX001', 'store'],
    ['23502', 'work'],
    ['23503', 'work'],
    ['23505', 'work'],
    ['22P02', 'work'],
    ['22021', 'work'],
    ['42601', 'work'],
    ['P0001', 'work'],
  ] as const)('the fault %s: %s', async ([code, kind]) => {
    const { client, end } = await connect(placeAt(postgres.url), { schema: 'srup', name: 'test' });
    const fault: unknown = await client
      .query(`do $$ begin raise exception 'no' using errcode = '${code}'; end $$`)
      .catch((caught: unknown) => caught);
    await end();
    expect(fault).toBeInstanceOf(DatabaseError);
    expect(isWorthRepeating(fault)).toBe(kind === 'again');
    expect(faultOf(fault) instanceof StoreFault).toBe(kind === 'store');
  });
});

describe.skipIf(isMissing('postgres'))('TLS to PostgreSQL', () => {
  let secured: Postgres;
  let plain: Postgres;
  let ca: string;
  let other: string;

  beforeAll(async () => {
    const authority = await makeAuthority();
    const { key, chain } = await authority.issueServer(['localhost']);
    [ca, other] = [authority.caPem, (await makeAuthority('another')).caPem];
    secured = await startPostgres({ fsync: false, tls: { certificate: chain, key: key.reveal() } });
    plain = await startPostgres({ fsync: false });
  });
  afterAll(async () => {
    await secured.clear();
    await plain.clear();
  });

  const over = async (to: Postgres, host: string, trusted?: string): Promise<PostgresStorePlace> => {
    const place = placeAt(await to.createDatabase());
    return { ...place, host, ca: trusted, transport: trusted === undefined ? 'loopback' : 'tls' };
  };

  test('with its CA and the name in its certificate', async ({ onTestFinished }) => {
    const store = await open(await over(secured, 'localhost', ca), onTestFinished);
    await insert(store, 1);
    expect(await idsIn(store)).toEqual([1]);
    const rows = await secured.query<{ ssl: boolean }>(
      "select distinct ssl from pg_stat_ssl join pg_stat_activity using (pid) where application_name like 'srup: %'",
    );
    expect(rows).toEqual([{ ssl: true }]);
  });

  test('with another CA', async ({ onTestFinished }) => {
    const place = await over(secured, 'localhost', other);
    await expect(open(place, onTestFinished)).rejects.toThrow(/certificate.*--database-ca/);
  });

  test('with another name', async ({ onTestFinished }) => {
    const place = await over(secured, '127.0.0.1', ca);
    await expect(open(place, onTestFinished)).rejects.toThrow(/altnames.*the host name that stands in the/);
  });

  test('to a server without TLS', async ({ onTestFinished }) => {
    const place = await over(plain, 'localhost', ca);
    await expect(open(place, onTestFinished)).rejects.toThrow(/does not support SSL.*ssl = on/);
  });

  test('not at all, to a server that wants it', async ({ onTestFinished }) => {
    const place = await over(secured, 'localhost');
    await expect(open(place, onTestFinished)).rejects.toThrow(/no encryption.*--database-ca/);
  });
});
