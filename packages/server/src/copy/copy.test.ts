import { readFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import { describe, expect } from 'vitest';
import { isMissing } from '../../../../scripts/system-programs.ts';
import { postgresFor } from '../../../../test/support/postgres-for.ts';
import { copyBetween, dump, filesAt, fill, ODD, schemasAt, within, type Places } from '../../test/copied.ts';
import { test } from '../../test/fixtures.ts';
import { behind } from '../../test/store.ts';
import { KEY_CATALOGUE } from '../keyservice/catalogue.ts';
import type { StorePlace } from '../store/open.ts';
import { CORE_CATALOGUE, type Catalogue } from '../store/catalogue.ts';
import { copyAll, type Target } from './copy.ts';
import { tablesOf } from './tables.ts';

async function makeReleased(places: Places): Promise<void> {
  if (places.core.kind !== 'sqlite') throw new TypeError('only a file');
  const database = new DatabaseSync(places.core.file);
  database.exec(await readFile(new URL('../../test/released.sql', import.meta.url), 'utf8'));
  database.close();
  await within(places, fill);
}

describe.skipIf(isMissing('postgres'))('a copy', { timeout: 60_000 }, () => {
  test('to PostgreSQL and back has every row as it was, and gives no key again', async ({
    folder,
    onTestFinished,
  }) => {
    const [first, last] = [filesAt(folder, 'first'), filesAt(folder, 'last')];
    await makeReleased(first);
    const between = schemasAt(await postgresFor(onTestFinished));
    const there = await copyBetween(first, between);
    const back = await copyBetween(between, last);
    expect(back).toEqual(there);
    expect(there.trail.seq).toBeGreaterThan(ODD.length);
    expect(dump(last.core)).toEqual(dump(first.core));
    expect(dump(last.keys)).toEqual(dump(first.keys));
  });

  test('goes on with the keys of its source', async ({ folder, onTestFinished }) => {
    const first = filesAt(folder, 'first');
    await within(first, fill);
    const between = schemasAt(await postgresFor(onTestFinished));
    await copyBetween(first, between);
    const add = ({ core, keys }: Target) =>
      Promise.all([
        core.commit((write) =>
          write.insertInto('events').values({ at: 1, event: '' }).returning('seq').execute(),
        ),
        keys.commit((write) =>
          write.insertInto('audit_events').values({ at: 1, event: '' }).returning('id').execute(),
        ),
      ]);
    expect(await within(between, add)).toEqual([[{ seq: ODD.length + 1 }], [{ id: 2 }]]);
  });

  test('between two PostgreSQLs is whole too', async ({ folder, onTestFinished }) => {
    const first = filesAt(folder, 'first');
    await within(first, fill);
    const [one, other] = [
      schemasAt(await postgresFor(onTestFinished)),
      schemasAt(await postgresFor(onTestFinished)),
    ];
    const copied = await copyBetween(first, one);
    expect(await copyBetween(one, other)).toEqual(copied);
    expect(copied.trail.brokenAt).toBeUndefined();
  });

  test('holds a text with U+0000 as PostgreSQL can hold it', async ({ folder, onTestFinished }) => {
    const first = filesAt(folder, 'first');
    await within(first, ({ core }) =>
      core.commit((write) =>
        write.insertInto('refusals').values({ at: 1, code: 'AUTH_SIGNATURE', topic: 'a\0b' }).execute(),
      ),
    );
    const between = schemasAt(await postgresFor(onTestFinished));
    await copyBetween(first, between);
    const topics = await within(between, ({ core }) =>
      core.read.selectFrom('refusals').select('topic').execute(),
    );
    expect(topics).toEqual([{ topic: 'a\uFFFDb' }]);
  });

  test('of more rows than a page has all of them', async ({ folder, onTestFinished }) => {
    const first = filesAt(folder, 'first');
    await within(first, ({ core }) =>
      core.commit((write) =>
        sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
          insert into settings (name, value) select 'k' || i, i from n`.execute(write),
      ),
    );
    const between = schemasAt(await postgresFor(onTestFinished));
    const told: number[] = [];
    const copied = await within(first, ({ core, keys }) =>
      within(between, (target) =>
        copyAll({ core: core.read, keys: keys.read }, target, (doing, done, total) => {
          if (doing === 'compare') told.push(done / total);
        }),
      ),
    );
    expect(copied.rows).toBe(2001);
    expect(told.at(-1)).toBe(1);
  });
});

test('a copy says that the trail of its source is broken, and where', async ({ folder }) => {
  const [first, last] = [filesAt(folder, 'first'), filesAt(folder, 'last')];
  await within(first, async (both) => {
    await fill(both);
    await sql`drop trigger audit_no_update`.execute(behind(both.core));
    await sql`update audit set at = 99 where seq = 3`.execute(behind(both.core));
  });
  expect((await copyBetween(first, last)).trail).toMatchObject({ seq: ODD.length, brokenAt: 3 });
});

test('a copy that somebody else wrote to is refused', async ({ folder }) => {
  const [first, last] = [filesAt(folder, 'first'), filesAt(folder, 'last')];
  await within(first, fill);
  const copying = within(first, ({ core, keys }) =>
    within(last, (target) =>
      copyAll({ core: core.read, keys: keys.read }, target, (doing, done) => {
        if (doing !== 'compare' || done > 1) return;
        if (last.core.kind !== 'sqlite') return;
        const other = new DatabaseSync(last.core.file);
        other.exec("insert into settings values ('stranger', '')");
        other.close();
      }),
    ),
  );
  await expect(copying).rejects.toThrow('The copy differs from its source in the table "settings"');
});

describe('the catalogue', () => {
  const check = async <Tables>(place: StorePlace, catalogue: Catalogue<Tables>) => {
    if (place.kind !== 'sqlite') return;
    const database = new DatabaseSync(place.file, { readOnly: true });
    const made = database
      .prepare(
        "select name, sql from sqlite_master where type = 'table' and name not like 'kysely%' and name not like 'sqlite%'",
      )
      .all() as { name: string; sql: string }[];
    const columnsOf = (table: string) =>
      database.prepare('select name, type, pk from pragma_table_info(?)').all(table);
    const found = made.map(({ name, sql: text }) => ({
      name,
      isCounted: /autoincrement/i.test(text),
      key: columnsOf(name)
        .filter(({ pk }) => pk !== 0)
        .map((column) => column['name']),
      columns: Object.fromEntries(
        columnsOf(name).map((column) => [
          String(column['name']),
          String(column['type']).toLowerCase().replace('bigint', 'integer'),
        ]),
      ),
    }));
    database.close();
    const listed = tablesOf(catalogue).map(({ name, key, form }) => ({
      name,
      isCounted: form.isCounted === true,
      key: [key],
      columns: form.columns,
    }));
    const byName = (one: { name: string }, other: { name: string }) => (one.name < other.name ? -1 : 1);
    expect(listed.toSorted(byName)).toEqual(found.toSorted(byName));
  };

  test('lists every table of a new database, with all its columns', async ({ folder }) => {
    const places = filesAt(folder, 'new');
    await within(places, async () => undefined);
    await check(places.core, CORE_CATALOGUE);
    await check(places.keys, KEY_CATALOGUE);
  });
});
