import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { idsIn, insert, noteMigrations, storeSuite, type NoteTables } from '../../../test/store-suite.ts';
import { behind } from '../../../test/store.ts';
import { StoreFault } from '../fault.ts';
import type { Store } from '../port.ts';
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

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-store-'));
  file = join(folder, 'server.db');
  store = await openSqlite<NoteTables>(file, noteMigrations);
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
  await sql.raw('pragma max_page_count = 1000000').execute(behind(store));
  await insert(store, 2, 'x'.repeat(100_000));
  expect(await idsIn(store)).toEqual([1, 2]);
});

test('another connection that only reads sees what is committed', async () => {
  await insert(store, 7);
  const other = openSqliteReadOnly<NoteTables>(file);
  expect(await other.read.selectFrom('notes').select('id').execute()).toEqual([{ id: 7 }]);
  await other.close();
});

test('a damaged file, or another one, is refused as a database, with the reason', async () => {
  checkSqlite(file, noteMigrations);
  expect(() => {
    checkSqlite(file, {});
  }).toThrow(/written by a newer version/);
});
