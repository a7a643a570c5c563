/** The contract of the `Store` port: every database behind it passes these tests. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Generated, Selectable } from 'kysely';
import { StoreFault } from '../src/store/fault.ts';
import { counted } from '../src/store/schema/columns.ts';
import type { Migrations } from '../src/store/schema/steps.ts';
import type { Read, Store, Write } from '../src/store/port.ts';
import { prepare } from '../src/store/prepared.ts';
import { prepareRows, type Given } from '../src/store/rows.ts';
import { contains } from '../src/store/search.ts';

export interface NoteTables {
  notes: { id: Generated<number>; text: string; bytes: Generated<Uint8Array | null> };
}

type Note = Selectable<NoteTables['notes']>;

export const noteMigrations: Migrations = {
  'notes-001': {
    async up(db) {
      await db.schema
        .createTable('notes')
        .addColumn('id', 'integer', counted)
        .addColumn('text', 'text', (column) => column.notNull())
        .addColumn('bytes', 'blob')
        .execute();
    },
  },
};

/** A place for one database, which the suite opens, closes and opens again. */
export interface Place {
  /** `onFault` gets what a listener throws. One at a time is open. */
  open(migrations: Migrations, onFault?: (fault: unknown) => void): Promise<Store<NoteTables>>;
  /** Everything in the place goes. */
  remove(): Promise<void>;
}

export const note = (id: number, text = 'x') => ({ id, text });

export async function idsIn({ read }: Store<NoteTables>): Promise<readonly number[]> {
  return (await read.selectFrom('notes').select('id').orderBy('id').execute()).map(({ id }) => id);
}

export function insert(store: Store<NoteTables>, id: number, text?: string): Promise<unknown> {
  return store.commit((write) => write.insertInto('notes').values(note(id, text)).execute());
}

/** Registers the suite for one kind of database. */
export function storeSuite(kind: string, makePlace: () => Promise<Place>): void {
  describe(`the store on ${kind}`, () => {
    let place: Place;
    const places: Place[] = [];
    const opened = new Set<Store<NoteTables>>();

    async function newPlace(): Promise<void> {
      place = await makePlace();
      places.push(place);
    }

    beforeEach(newPlace);

    afterEach(async () => {
      for (const store of opened) await store.close();
      opened.clear();
      for (const one of places.splice(0)) await one.remove();
    });

    async function open(
      migrations: Migrations = noteMigrations,
      onFault?: (fault: unknown) => void,
    ): Promise<Store<NoteTables>> {
      const store = await place.open(migrations, onFault);
      opened.add(store);
      return store;
    }

    async function close(store: Store<NoteTables>): Promise<void> {
      opened.delete(store);
      await store.close();
    }

    it('keeps what was committed over a close', async () => {
      const store = await open();
      await insert(store, 7);
      await close(store);
      expect(await idsIn(await open())).toEqual([7]);
    });

    it('commits what waits before it closes', async () => {
      const store = await open();
      const last = insert(store, 1);
      await close(store);
      await last;
      expect(await idsIn(await open())).toEqual([1]);
    });

    it('lets work that waits share a transaction', async () => {
      const store = await open();
      const transactions = new Set<unknown>();
      const works = Array.from({ length: 50 }, (_, id) =>
        store.commit(async (write) => {
          transactions.add(write);
          await write.insertInto('notes').values(note(id)).execute();
        }),
      );
      await Promise.all(works);
      expect(await idsIn(store)).toHaveLength(50);
      expect(transactions.size).toBe(2); // the first alone, then all that came meanwhile
    });

    it('lets no work that fails take another one down', async () => {
      const store = await open();
      const outcomes = await Promise.allSettled([1, 2, 2, 3].map((id) => insert(store, id)));
      expect(outcomes.map(({ status }) => status)).toEqual([
        'fulfilled',
        'fulfilled',
        'rejected',
        'fulfilled',
      ]);
      expect((outcomes[2] as PromiseRejectedResult).reason).not.toBeInstanceOf(StoreFault);
      expect(await idsIn(store)).toEqual([1, 2, 3]);
    });

    it('runs work again when the transaction that it shared fails, and keeps what it wrote once', async () => {
      const store = await open();
      const runs: number[] = [];
      const first = insert(store, 0); // alone in its transaction; the others share the next one
      const works = [1, 2].map((id) =>
        store.commit(async (write) => {
          runs.push(id);
          await write.insertInto('notes').values(note(id)).execute();
        }),
      );
      const failing = store.commit(() => Promise.reject(new TypeError('mine')));
      await expect(failing).rejects.toThrow('mine');
      await Promise.all([first, ...works]);
      expect(runs).toEqual([1, 2, 1, 2]);
      expect(await idsIn(store)).toEqual([0, 1, 2]);
    });

    it('searches for a part of a text in either case, with wildcards as letters', async () => {
      const store = await open();
      const texts = ['Pump 100%', 'pump_a', 'Ärmel', 'a\\b'];
      for (const [id, text] of texts.entries()) await insert(store, id, text);
      const find = async (part: string) => {
        const found = await store.read
          .selectFrom('notes')
          .select('text')
          .where((where) => contains(where.ref('text'), part))
          .orderBy('id')
          .execute();
        return found.map(({ text }) => text);
      };
      expect(await find('PUMP')).toEqual(['Pump 100%', 'pump_a']);
      expect(await find('0%')).toEqual(['Pump 100%']);
      expect(await find('p_a')).toEqual(['pump_a']);
      expect(await find('Är')).toEqual(['Ärmel']);
      expect(await find('\\')).toEqual(['a\\b']);
    });

    it('prepares a statement for each store anew, and runs it with the values of each call', async () => {
      const here = await open();
      await newPlace();
      const there = await open();
      await insert(here, 1, 'one');
      await insert(here, 2, 'two');
      await insert(there, 1, 'uno');
      await insert(there, 2, 'due');
      const select = prepare((read: Read<NoteTables>, p: { readonly id: number }) =>
        read.selectFrom('notes').select('text').where('id', '=', p.id),
      );
      const texts = [
        [here, 'one', 'two'],
        [there, 'uno', 'due'],
      ] as const;
      for (const [store, one, two] of texts) {
        expect((await select(store.read, { id: 1 })).rows).toEqual([{ text: one }]);
        expect((await select(store.read, { id: 2 })).rows).toEqual([{ text: two }]);
      }
      const inside = await here.commit(async (write) => (await select(write, { id: 2 })).rows);
      expect(inside).toEqual([{ text: 'two' }]);
    });

    it('does with many rows what a statement does with one, in their order', async () => {
      const store = await open();
      const insertAll = prepareRows(
        { text: 'text' },
        (write: Write<NoteTables>, given: Given<{ text: string }>) =>
          write.insertInto('notes').columns(given.columns).expression(given.rows).returning('id'),
      );
      const replaceAll = prepareRows(
        { id: 'integer', text: 'text' },
        (write: Write<NoteTables>, given: Given<Omit<Note, 'bytes'>>) =>
          write
            .insertInto('notes')
            .columns(given.columns)
            .expression(given.rows)
            .onConflict((conflict) =>
              conflict.column('id').doUpdateSet((set) => ({ text: set.ref('excluded.text') })),
            ),
      );
      const changeAll = prepareRows(
        { id: 'integer', text: 'text' },
        (write: Write<NoteTables>, given: Given<Omit<Note, 'bytes'>>) =>
          write
            .updateTable('notes')
            .from(given.table)
            .set((set) => ({ text: set.ref('given.text') }))
            .whereRef('notes.id', '=', 'given.id'),
      );
      const texts = ['one', "it's", '"{\\,}"', '', 'NULL', 'zwölf'];
      const inserted = await store.commit((write) =>
        insertAll(
          write,
          texts.map((text) => ({ text })),
        ),
      );
      const ids = inserted.map(({ id }) => id);
      expect(ids).toEqual(ids.toSorted((one, other) => one - other));
      const read = async () =>
        (await store.read.selectFrom('notes').select('text').orderBy('id').execute()).map(({ text }) => text);
      expect(await read()).toEqual(texts);
      const [first = 0, second = 0] = ids;
      await store.commit((write) => replaceAll(write, [note(first, 'eins'), note(9_000, 'neu')]));
      await store.commit((write) => changeAll(write, [note(second, 'zwei'), note(77_000, 'nobody')]));
      expect(await read()).toEqual(['eins', 'zwei', ...texts.slice(2), 'neu']);
      expect(await store.commit((write) => insertAll(write, []))).toEqual([]);
    });

    it('keeps bytes as they are, one by one and in many rows', async () => {
      const store = await open();
      const all = [Uint8Array.of(), Uint8Array.of(0, 255, 92, 120, 34), new Uint8Array(300).fill(7), null];
      const insertAll = prepareRows(
        { text: 'text', bytes: 'blob' },
        (write: Write<NoteTables>, given: Given<Omit<Note, 'id'>>) =>
          write.insertInto('notes').columns(given.columns).expression(given.rows),
      );
      await store.commit(async (write) => {
        await insertAll(
          write,
          all.map((bytes) => ({ text: 'x', bytes })),
        );
        for (const bytes of all) await write.insertInto('notes').values({ text: 'x', bytes }).execute();
      });
      const rows = await store.read.selectFrom('notes').select('bytes').orderBy('id').execute();
      expect(rows.map(({ bytes }) => bytes)).toEqual([...all, ...all]);
      for (const { bytes } of rows) expect(bytes === null || bytes.constructor === Uint8Array).toBe(true);
    });

    it('gives a batch all pieces that wait, and each its own value', async () => {
      const store = await open();
      const sizes: number[] = [];
      const batch = async (write: Write<NoteTables>, ids: readonly number[]) => {
        sizes.push(ids.length);
        for (const id of ids) await write.insertInto('notes').values(note(id)).execute();
        return ids.map((id) => id * 2);
      };
      const outcomes = await Promise.allSettled([1, 2, 3, 3, 4].map((id) => store.add(batch, id)));
      expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : 'failed'))).toEqual([
        2,
        4,
        6,
        'failed',
        8,
      ]);
      expect(sizes).toEqual([1, 4, 1, 1, 1, 1]); // the first alone, then all others, then each of them alone
      expect(await idsIn(store)).toEqual([1, 2, 3, 4]);
    });

    it('tells a mistake of the work from a fault of the database', async () => {
      const mistake = new TypeError('mine');
      await expect((await open()).commit(() => Promise.reject(mistake))).rejects.toBe(mistake);
    });

    it('fails with a fault of the store when it is closed', async () => {
      const store = await open();
      await close(store);
      await expect(insert(store, 1)).rejects.toThrow();
    });

    it('announces what was committed, after the commit, and only to those who still listen', async () => {
      const store = await open();
      const heard: number[] = [];
      const stop = store.listen('events', (at) => heard.push(at));
      store.listen('errands', (at) => heard.push(-at));
      const commit = (id: number) =>
        store.commit(
          async (write) => {
            await write.insertInto('notes').values(note(id)).execute();
            return id;
          },
          (value) => [{ of: 'events', place: value }],
        );
      await commit(1);
      await expect(commit(1)).rejects.toThrow(); // twice the same id: nothing is committed, nothing is announced
      expect(heard).toEqual([1]);
      stop();
      await commit(2);
      expect(heard).toEqual([1]);
    });

    it('commits once what a listener fails to hear', async () => {
      const faults: unknown[] = [];
      const store = await open(noteMigrations, (fault) => faults.push(fault));
      const heard: number[] = [];
      store.listen('events', () => {
        throw new Error('deaf');
      });
      store.listen('events', (at) => heard.push(at));
      const commit = (id: number) =>
        store.commit(
          (write) => write.insertInto('notes').values({ text: 'x' }).execute(),
          () => [{ of: 'events', place: id }],
        );
      await Promise.all([commit(1), commit(2), commit(3)]);
      expect(await idsIn(store)).toHaveLength(3);
      expect(heard).toEqual([1, 2, 3]);
      expect(faults).toHaveLength(3);
    });

    it('leaves nothing of a migration that fails half-way, and the next start goes on', async () => {
      const broken: Migrations = {
        'notes-001': {
          async up(db) {
            await noteMigrations['notes-001']?.up(db);
            throw new Error('power cut');
          },
        },
      };
      await expect(open(broken)).rejects.toThrow(/could not be brought up to date: power cut/);
      expect(await idsIn(await open())).toEqual([]);
    });

    it('takes a step of any part, whatever the names of the others', async () => {
      const later: Migrations = { 'z-001': { up: async () => undefined } };
      await close(await open(later));
      expect(await idsIn(await open({ ...later, ...noteMigrations }))).toEqual([]);
    });

    it('refuses a database of a newer version in words', async () => {
      await close(await open({ ...noteMigrations, 'notes-002': { up: async () => undefined } }));
      await expect(open()).rejects.toThrow(/written by a newer version \(step "notes-002" is unknown here\)/);
    });
  });
}
