import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { idsIn, insert, noteMigrations, storeSuite, type NoteTables } from '../../../test/store-suite.ts';
import { behind } from '../../../test/database.ts';
import { StoreError, StoreFault } from '../fault.ts';
import type { Store } from '../port.ts';
import type { Migrations } from '../schema/steps.ts';
import { checkSqlite, openSqlite, openSqliteReadOnly } from './open.ts';

storeSuite('SQLite', async () => {
  const place = await mkdtemp(join(tmpdir(), 'srup-store-'));
  return {
    open: (migrations, onFault) => openSqlite<NoteTables>(join(place, 'server.db'), migrations, { onFault }),
    remove: () => rm(place, { recursive: true, force: true }),
  };
});

let folder: string;
let file: string;
let store: Store<NoteTables>;
let failed: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-store-'));
  file = join(folder, 'server.db');
  failed = 0;
  const onFailed = () => {
    failed += 1;
  };
  store = await openSqlite<NoteTables>(file, noteMigrations, { onFailed });
});

afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

test('a database is durable: WAL and full sync, readable by its owner only', async () => {
  const mode = await sql<{ journal_mode: string }>`pragma journal_mode`.execute(behind(store));
  const sync = await sql<{ synchronous: number }>`pragma synchronous`.execute(behind(store));
  expect(mode.rows[0]?.journal_mode).toBe('wal');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(`${file}-wal`)).mode & 0o777).toBe(0o600);
  expect(sync.rows[0]?.synchronous).toBe(2);
});

test('a full disk fails the work, only while it is full', async () => {
  await insert(store, 1, 'small');
  const pages = await sql<{ page_count: number }>`pragma page_count`.execute(behind(store));
  await sql.raw(`pragma max_page_count = ${pages.rows[0]?.page_count ?? 0}`).execute(behind(store));
  const refused = await insert(store, 2, 'x'.repeat(100_000)).catch((fault: unknown) => fault);
  expect(refused).toBeInstanceOf(StoreFault);
  expect(failed).toBe(1);
  await sql.raw('pragma max_page_count = 1000000').execute(behind(store));
  await insert(store, 2, 'x'.repeat(100_000));
  expect(await idsIn(store)).toEqual([1, 2]);
  expect(failed).toBe(1);
});

test('another connection that only reads sees what is committed', async () => {
  await insert(store, 7);
  const other = openSqliteReadOnly<NoteTables>(file);
  expect(await other.read.selectFrom('notes').select('id').execute()).toEqual([{ id: 7 }]);
  await other.close();
});

test('a database of a newer version is refused, with the reason', () => {
  checkSqlite(file, noteMigrations);
  expect(() => {
    checkSqlite(file, {});
  }).toThrow(/written by a newer version/);
});

test('a damaged database is refused with the reason, and one of a newer version for its version', async () => {
  for (let id = 1; id <= 100; id++) await insert(store, id, 'x'.repeat(1_000));
  const copy = join(folder, 'copy.db');
  await sql`vacuum into ${copy}`.execute(behind(store));
  const bytes = await readFile(copy);
  await writeFile(copy, bytes.fill(0xff, bytes.length - 8_192));
  const check = (migrations: Migrations) => () => {
    checkSqlite(copy, migrations);
  };
  expect(check(noteMigrations)).toThrow(/^The database is damaged: /);
  expect(check({})).toThrow(/written by a newer version/);
});

test('a file that is not a database is refused as damaged', async () => {
  const other = join(folder, 'other.db');
  await writeFile(other, 'no database'.repeat(1_000));
  const check = () => {
    checkSqlite(other, noteMigrations);
  };
  expect(check).toThrow(StoreError);
  expect(check).toThrow('The database is damaged: file is not a database.');
});
