/** Databases of a server for tests that copy them. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { onTestFinished } from 'vitest';
import type { Secret } from '@srup/node';
import { postgresFor } from '../../../test/support/postgres-for.ts';
import { appendAudit } from '../src/chain/append.ts';
import { copyAll, type Copied, type Target } from '../src/copy/copy.ts';
import { keyServiceMigrations, type KeyServiceTables } from '../src/keyservice/tables.ts';
import type { DatabaseNote } from '../src/store/databases.ts';
import { openStore, type StorePlace } from '../src/store/open.ts';
import { coreMigrations } from '../src/store/schema/migrations.ts';
import type { CoreTables } from '../src/store/schema/tables.ts';
import { placeAt, splitPassword } from './postgres.ts';

export interface Places {
  readonly core: StorePlace;
  readonly keys: StorePlace;
}

export const filesAt = (folder: string, name: string): Places => ({
  core: { kind: 'sqlite', file: join(folder, `${name}-core.db`) },
  keys: { kind: 'sqlite', file: join(folder, `${name}-keys.db`) },
});

export const schemasAt = (url: string): Places => ({
  core: { kind: 'postgres', ...placeAt(url, 'srup') },
  keys: { kind: 'postgres', ...placeAt(url, 'srup_keys') },
});

/** An empty database, as a person names it, and the places in it. */
export interface Elsewhere {
  readonly database: DatabaseNote;
  readonly password: Secret;
  readonly places: Places;
}

export async function elsewhere(): Promise<Elsewhere> {
  const full = await postgresFor(onTestFinished);
  const { url, password } = splitPassword(full);
  return { database: { url }, password, places: schemasAt(full) };
}

export async function within<Value>(places: Places, work: (both: Target) => Promise<Value>): Promise<Value> {
  const core = await openStore<CoreTables>(places.core, coreMigrations);
  try {
    const keys = await openStore<KeyServiceTables>(places.keys, keyServiceMigrations);
    return await work({ core, keys }).finally(() => keys.close());
  } finally {
    await core.close();
  }
}

/** Everything in a file but how it came there. */
export function dump(place: StorePlace): unknown {
  if (place.kind !== 'sqlite') throw new TypeError('only of a file');
  const database = new DatabaseSync(place.file, { readOnly: true });
  try {
    const tables = database
      .prepare(
        "select name from sqlite_master where type = 'table' and name not like 'kysely%' and name not like 'copy%' order by name",
      )
      .all();
    return tables.map(({ name }) => [
      name,
      database.prepare(`select * from "${String(name)}" order by 1`).all(),
    ]);
  } finally {
    database.close();
  }
}

export const ODD = [
  'it\'s "quoted"',
  'back\\slash {a,b} $1 ?',
  'line\nbreak\ttab',
  'ünï 🚀 \u{10FFFF}',
  '',
  'NULL',
];

/** A server with a row of every kind that could go wrong on its way. */
export async function fill({ core, keys }: Target): Promise<void> {
  await core.commit(async (write) => {
    await write
      .insertInto('audit_witnesses')
      .values({ place: '/witness/of/the/copy', seq: 3, in_use: 1, trouble: null, taken_at: null })
      .execute();
    for (const [at, body] of ODD.entries())
      await appendAudit(write, { kind: 'alarm', at, body: { what: body } });
    for (const [index, text] of ODD.entries()) {
      const bytes = Uint8Array.from({ length: index * 50 }, (_, place) => place * 7);
      await write
        .insertInto('messages')
        .values({
          at: 2 ** 52 + index,
          device: 'a1',
          direction: 'in',
          type: text,
          sequence: '18446744073709551615',
          token: text,
          bytes,
          is_chained: 0,
        })
        .execute();
      await write
        .insertInto('refusals')
        .values({
          at: 0,
          code: 'AUTH_SIGNATURE',
          claimed_sender: index % 2 ? text : null,
          topic: text,
          type: null,
        })
        .execute();
      await write.insertInto('events').values({ at: -index, event: text }).execute();
    }
    // The database never gives these keys again.
    await write.deleteFrom('events').execute();
    await write.deleteFrom('messages').where('id', '>', 5).execute();
    await write.updateTable('join_policies').set({ verdict: 'accept' }).execute();
  });
  await keys.commit(async (write) => {
    await write.insertInto('audit_events').values({ at: 1, event: '{}' }).execute();
    await write.deleteFrom('audit_events').execute();
    for (const id of ODD)
      await write
        .insertInto('identities')
        .values({
          id,
          type: 'x',
          suite: 'ed25519',
          public_pem: '',
          seal_pem: null,
          state: 'certified',
          registered_at: 1,
          expires_at: null,
        })
        .execute();
    await write
      .insertInto('certificates')
      .values({ serial: 's', identity: 'NULL', issued_at: 1, not_after: 2, revoked_at: null })
      .execute();
    await write
      .insertInto('enrolment_codes')
      .values({ id: 'c', hash: 'h', type: null, uses_left: 1, expires_at: null, created_at: 1 })
      .execute();
  });
}

export const copyBetween = (from: Places, to: Places): Promise<Copied> =>
  within(from, ({ core, keys }) =>
    within(to, (target) => copyAll({ core: core.read, keys: keys.read }, target)),
  );
