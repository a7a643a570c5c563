import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sql, type Kysely } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createCommit, isStoreFault, StoreFault } from '../commit.ts';
import { openStore, type Migrations } from './open.ts';

interface Tables {
  notes: { id: number; text: string };
}

const first: Migrations = {
  'notes-001': {
    async up(db) {
      await db.schema
        .createTable('notes')
        .addColumn('id', 'integer', (column) => column.primaryKey())
        .addColumn('text', 'text', (column) => column.notNull())
        .execute();
    },
  },
};

let folder: string;
let file: string;
const opened: Kysely<Tables>[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-store-'));
  file = join(folder, 'server.db');
});

afterEach(async () => {
  for (const store of opened.splice(0)) await store.destroy();
  await rm(folder, { recursive: true, force: true });
});

async function open(migrations: Migrations = first): Promise<Kysely<Tables>> {
  const store = await openStore<Tables>(file, migrations);
  opened.push(store);
  return store;
}

const note = (id: number, text = 'x') => ({ id, text });
const ids = async (store: Kysely<Tables>) =>
  (await store.selectFrom('notes').select('id').orderBy('id').execute()).map(({ id }) => id);

test('a database is durable: WAL and full sync', async () => {
  const store = await open();
  const mode = await sql<{ journal_mode: string }>`pragma journal_mode`.execute(store);
  const sync = await sql<{ synchronous: number }>`pragma synchronous`.execute(store);
  expect(mode.rows[0]?.journal_mode).toBe('wal');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(`${file}-wal`)).mode & 0o777).toBe(0o600);
  expect(sync.rows[0]?.synchronous).toBe(2);
});

test('a migration that fails half-way leaves nothing behind, and the next start goes on', async () => {
  const broken: Migrations = {
    'notes-001': {
      async up(db) {
        await first['notes-001']?.up(db);
        throw new Error('power cut');
      },
    },
  };
  await expect(open(broken)).rejects.toThrow(/could not be brought up to date: power cut/);
  const store = await open();
  expect(await ids(store)).toEqual([]);
});

test('a part adds its step whatever the names of the others', async () => {
  const store = await open({ 'z-001': { up: async () => undefined } });
  await store.destroy();
  opened.pop();
  expect(await ids(await open({ 'z-001': { up: async () => undefined }, ...first }))).toEqual([]);
});

test('a database of a newer version is refused in words', async () => {
  const store = await open({ ...first, 'notes-002': { up: async () => undefined } });
  await store.destroy();
  opened.pop();
  await expect(open()).rejects.toThrow(/written by a newer version \(step "notes-002" is unknown here\)/);
});

test('what waits for the disk shares a transaction', async () => {
  const store = await open();
  const commit = createCommit(store);
  const transactions = new Set<unknown>();
  await Promise.all(
    Array.from({ length: 50 }, (_, id) =>
      commit(async (transaction) => {
        transactions.add(transaction);
        await transaction.insertInto('notes').values(note(id)).execute();
      }),
    ),
  );
  expect(await ids(store)).toHaveLength(50);
  expect(transactions.size).toBe(2); // the first alone, then all that came meanwhile
});

test('one piece of work that fails takes no other down', async () => {
  const store = await open();
  const commit = createCommit(store);
  const insert = (id: number) =>
    commit((transaction) => transaction.insertInto('notes').values(note(id)).execute());
  const outcomes = await Promise.allSettled([insert(1), insert(2), insert(2), insert(3)]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  expect(isStoreFault((outcomes[2] as PromiseRejectedResult).reason)).toBe(false);
  expect(await ids(store)).toEqual([1, 2, 3]);
});

test('what fails by itself is no fault of the store', async () => {
  const commit = createCommit(await open());
  const mistake = new TypeError('mine');
  await expect(commit(() => Promise.reject(mistake))).rejects.toBe(mistake);
});

test('a full disk fails the work, and only while it is full', async () => {
  const store = await open();
  const commit = createCommit(store);
  const insert = (id: number, text: string) =>
    commit((transaction) => transaction.insertInto('notes').values(note(id, text)).execute());
  await insert(1, 'small');
  const pages = await sql<{ page_count: number }>`pragma page_count`.execute(store);
  await sql.raw(`pragma max_page_count = ${pages.rows[0]?.page_count ?? 0}`).execute(store);
  const refused = await insert(2, 'x'.repeat(100_000)).catch((fault: unknown) => fault);
  expect(refused).toBeInstanceOf(StoreFault);
  expect(isStoreFault(refused)).toBe(true);
  await sql.raw('pragma max_page_count = 1000000').execute(store);
  await insert(2, 'x'.repeat(100_000));
  expect(await ids(store)).toEqual([1, 2]);
});

test('a value that is committed is there for another connection', async () => {
  const store = await open();
  await createCommit(store)((transaction) => transaction.insertInto('notes').values(note(7)).execute());
  const other = new DatabaseSync(file, { readOnly: true });
  expect(other.prepare('select count(*) as n from notes').get()).toEqual({ n: 1 });
  other.close();
});
