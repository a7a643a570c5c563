import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isMissing } from '../../../../../../scripts/system-programs.ts';
import { startPostgres, type Postgres } from '../../../../../../test/support/postgres.ts';
import { noteMigrations, type NoteTables } from '../../../../test/store-suite.ts';
import { placeAt } from '../../../../test/postgres.ts';
import type { CopyNote } from '../../copied.ts';
import { StoreError } from '../../fault.ts';
import { openPostgres } from '../open.ts';
import { urlOf, type PostgresStorePlace } from '../place.ts';
import { clearSchema, lookAt } from './clear.ts';
import { holdSchemas } from './snapshot.ts';

const note: CopyNote = { state: 'unfinished', copy: 'c', server: 'a1', other: 'files', at: 0 };
const clear = (place: PostgresStorePlace): Promise<void> =>
  clearSchema(
    place,
    note,
    () => undefined,
    () => undefined,
  );

describe.skipIf(isMissing('postgres'))('the schemas of a copy', () => {
  let postgres: Postgres;
  let database: string;

  beforeAll(async () => {
    postgres = await startPostgres({ fsync: false });
  });
  afterAll(() => postgres.clear());

  async function newPlace(): Promise<PostgresStorePlace> {
    const url = await postgres.createDatabase();
    database = new URL(url).pathname.slice(1);
    return placeAt(url);
  }

  /** The same place for a role that owns nothing there. */
  async function placeOf(role: string): Promise<PostgresStorePlace> {
    const url = new URL(urlOf(await newPlace()));
    await postgres.query(`create role ${role} login password 'word of ${role}'`);
    url.username = role;
    url.password = `word of ${role}`;
    return placeAt(url.href);
  }

  async function openOnce(place: PostgresStorePlace): Promise<void> {
    await (await openPostgres<NoteTables>(place, noteMigrations)).close();
  }

  async function expectAdvice(work: Promise<unknown>, words: RegExp): Promise<void> {
    await expect(work).rejects.toBeInstanceOf(StoreError);
    await expect(work).rejects.toThrow(words);
  }

  test('are empty when they are not there, and when a server has claimed them only', async () => {
    const place = await newPlace();
    expect(await lookAt(place)).toEqual({ isEmpty: true, note: undefined });
    await postgres.query(
      'create schema srup create table writer (place int primary key, owner text not null, turn bigint not null)',
      database,
    );
    expect(await lookAt(place)).toEqual({ isEmpty: true, note: undefined });
  });

  test.for<readonly [string, string]>([
    ['table', 'create table srup.theirs (x int)'],
    ['view', 'create view srup.theirs as select 1 as x'],
    ['materialized view', 'create materialized view srup.theirs as select 1 as x'],
    ['sequence', 'create sequence srup.theirs'],
    ['function', "create function srup.theirs() returns int language sql as 'select 1'"],
    ['type', "create type srup.theirs as enum ('x')"],
    ['domain', 'create domain srup.theirs as int'],
  ])('are not empty with a %s of somebody', async ([, statement]) => {
    const place = await newPlace();
    await postgres.query('create schema srup', database);
    await postgres.query(statement, database);
    expect(await lookAt(place)).toMatchObject({ isEmpty: false });
  });

  test('are cleared, and hold the note alone', async () => {
    const place = await newPlace();
    await openOnce(place);
    await clear(place);
    expect(await lookAt(place)).toEqual({ isEmpty: false, note });
  });

  test('of a database where the user has no right say what to do', async () => {
    await expectAdvice(
      clear(await placeOf('guest')),
      /^The database postgres:.* can't be used: permission denied for database.*Make the user the owner/,
    );
  });

  test('that the user does not own say what to do, and stay', async () => {
    const place = await placeOf('lodger');
    await postgres.query('create schema srup; grant all on schema srup to lodger', database);
    await expectAdvice(clear(place), /must be owner of schema srup.*owner of the database and of the schema/);
    expect((await lookAt(place)).note).toBeUndefined();
  });

  test('of which no moment can be held say what to do', async () => {
    const place = await placeOf('reader');
    await postgres.query('revoke execute on function pg_export_snapshot() from public', database);
    await expectAdvice(
      holdSchemas([{ place, migrations: noteMigrations }]),
      /permission denied for function pg_export_snapshot/,
    );
  });
});
