import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeAuthority } from '../../test/authority.ts';
import type { Authority } from '../authority/authority.ts';
import { readCrl } from '../authority/crl.ts';
import { keyServiceMigrations, type KeyServiceTables } from '../keyservice/tables.ts';
import { openSqlite } from '../store/sqlite/open.ts';
import { adoptCrl, revokeListed } from './revoked.ts';
import type { Store } from '../store/port.ts';

const [OLD, NEW] = [1_700_000_000_000n, 1_700_000_100_000n];
const LATER = Number(NEW) + 1_000_000;
const serial = (name: string): string => name.padEnd(32, '0');

let folder: string;
let authority: Authority;
let keyService: DatabaseSync;
let store: Store<KeyServiceTables>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-revoked-'));
  authority = await makeAuthority();
  for (const part of ['authority', 'key-service']) await mkdir(join(folder, part));
  await writeFile(join(folder, 'authority', 'ca.pem'), authority.caPem);
  await writeFile(join(folder, 'key-service', 'crl.pem'), await authority.revocationList([], OLD));
  await writeFile(join(folder, 'key-service', 'canary.pem'), 'of the old list');
  const file = join(folder, 'key-service', 'identities.sqlite');
  store = await openSqlite<KeyServiceTables>(file, keyServiceMigrations);
  keyService = new DatabaseSync(file);
});

afterEach(async () => {
  keyService.close();
  await store.close();
  await rm(folder, { recursive: true });
});

/** A certified identity with these certificates: name to end. */
function identity(id: string, certificates: Readonly<Record<string, number>>): void {
  keyService
    .prepare(`insert into identities values (?, 'pump', 'ed25519', 'pem', null, 'certified', 1, null)`)
    .run(id);
  for (const [name, end] of Object.entries(certificates))
    keyService.prepare('insert into certificates values (?, ?, 1, ?, null)').run(serial(name), id, end);
}

async function newest(...names: string[]): Promise<string> {
  const file = join(folder, 'newest.pem');
  const entries = names.map((name) => ({ serial: serial(name), revokedAt: Number(NEW) }));
  await writeFile(file, await authority.revocationList(entries, NEW));
  return file;
}

test('an identity without a valid certificate is revoked; one that only renewed too often is not', async () => {
  identity('a1', { '4a': LATER, '4b': LATER });
  identity('b2', { '5a': LATER, '5b': LATER });
  identity('c3', { '6a': 1, '6b': LATER }); // one ended, the other is listed
  identity('d4', { '7a': 1 }); // renewed after the backup
  identity('e5', { '4f': LATER });
  const list = (await adoptCrl(folder, await newest('4a', '4b', '5a', '6b', '7f')))!;
  const newly = await store.commit((write) => revokeListed(write, list, LATER));
  expect(newly).toEqual({ revoked: ['a1', 'c3'], unclear: ['d4'] });
  const states = keyService.prepare('select id, state from identities order by id').all();
  expect(states.map(({ id, state }) => `${String(id)} ${String(state)}`)).toEqual([
    ...['a1 revoked', 'b2 certified', 'c3 revoked', 'd4 certified', 'e5 certified'],
  ]);
  const listed = keyService.prepare('select serial from certificates where revoked_at is not null').all();
  expect(listed.map((row) => row['serial']).sort()).toEqual(['4a', '4b', '5a', '6b'].map(serial));
  expect(keyService.prepare('select serial from foreign_revocations').all()).toEqual([
    { serial: serial('7f') },
  ]);
  const told = keyService.prepare('select event from audit_events').all();
  expect(told.map(({ event }) => (JSON.parse(String(event)) as { device: string }).device)).toEqual([
    'a1',
    'c3',
  ]);
});

test('the list replaces the one in the backup, for a broker that starts first', async () => {
  const file = await newest('4a');
  const list = await adoptCrl(folder, file);
  expect(list?.number).toBe(NEW);
  expect(list?.entries).toEqual([{ serial: serial('4a'), revokedAt: Number(NEW) }]);
  expect(await readFile(join(folder, 'key-service', 'crl.pem'), 'utf8')).toBe(await readFile(file, 'utf8'));
  expect(await readdir(join(folder, 'key-service'))).not.toContain('canary.pem');
});

test('a list that is older, of another CA, changed, or no list is refused, with the reason', async () => {
  const file = join(folder, 'given.pem');
  const good = await authority.revocationList([{ serial: serial('4a'), revokedAt: 1 }], NEW);
  for (const [text, why] of [
    [await authority.revocationList([], OLD - 1n), /is older than the revocation list in the backup/],
    [await (await makeAuthority()).revocationList([], NEW), /not a revocation list by the CA of this server/],
    [
      good.replace(/(\n\w{20})(\w)/, (_, start: string, one: string) => start + (one === 'A' ? 'B' : 'A')),
      /not a rev/,
    ],
    [authority.caPem, /not a revocation list/],
    ['', /not a revocation list.* Name the newest one: key-service\/crl.pem/],
  ] as const) {
    await writeFile(file, text);
    await expect(adoptCrl(folder, file)).rejects.toThrow(why);
    expect(readCrl(text, authority.caPem)?.number).not.toBe(NEW);
  }
});

test('without a list the folder keeps its own, and the first start makes a new canary', async () => {
  expect(await adoptCrl(folder, undefined)).toBeUndefined();
  const files = await readdir(join(folder, 'key-service'));
  expect(files.filter((name) => !/-(wal|shm)$/.test(name))).toEqual(['crl.pem', 'identities.sqlite']);
});
