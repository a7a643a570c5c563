import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { buffer } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { packTar } from 'modern-tar';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lockFolder, Secret, systemClock, systemRandom } from '@srup/node';
import { keyServiceMigrations } from '../keyservice/tables.ts';
import { coreMigrations } from '../store/schema/migrations.ts';
import { openSqlite } from '../store/sqlite/open.ts';
import { packBackup } from './archive/pack.ts';
import type { Manifest } from './archive/manifest.ts';
import { createBackup, type BackupMade, type BackupOptions } from './create.ts';
import { restoreBackup, type Restored, type RestoreOptions } from './restore.ts';
import { holdDatabases } from '../store/sqlite/snapshot.ts';

/** Deriving a key from a passphrase is slow, more so on a busy machine. */
const SLOW_MS = 60_000;

let root: string;
let folder: string;
let file: string;
let digest: string;

const inRoot = (name: string): string => join(root, name);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'srup-backup-'));
  folder = inRoot('server');
  file = inRoot('made.backup');
  await makeServer();
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

/** Makes a folder like a server's with a device, an identity that has not joined, a code, an artifact and a token. */
async function makeServer(): Promise<void> {
  for (const part of ['server', 'key-service', 'authority', 'artifacts']) {
    await mkdir(join(folder, part), { recursive: true, mode: 0o700 });
  }
  await writeFile(join(folder, 'vault.json'), '{"format":1}\n');
  await writeFile(join(folder, 'server', 'identity'), 'b9d077e223834cf6\n');
  await writeFile(join(folder, 'server', 'setup-token.used'), 'x\n');
  await writeFile(join(folder, 'authority', 'ca.key.pem'), 'a key\n');
  await writeFile(join(folder, '.lock.pid'), '1\n');
  const artifact = randomBytes(100_000);
  digest = createHash('sha256').update(artifact).digest('hex');
  await writeFile(join(folder, 'artifacts', digest), artifact);
  await (await openSqlite(join(folder, 'server', 'fleet.db'), coreMigrations)).close();
  await (await openSqlite(join(folder, 'key-service', 'identities.sqlite'), keyServiceMigrations)).close();
  change(
    'server/fleet.db',
    `
    insert into devices (id, type, suite, public_pem, standing, confirms, first_seen_at)
      values ('a1', 'pump', 'ed25519', 'pem', 'joined', 1, 1);
    insert into peers (device, sent, highest, seen) values ('a1', '4611686018427387903', '4611686018427387999', '1');
    insert into artifacts (digest, bytes, name, uploaded_at) values ('${digest}', 100000, 'v1', 1);
    insert into api_tokens (id, hash, name, role, created_at) values ('t', 'h', 'n', 'admin', 1);`,
  );
  change(
    'key-service/identities.sqlite',
    `
    insert into identities (id, type, suite, public_pem, state, registered_at)
      values ('a1', 'pump', 'ed25519', 'pem', 'certified', 1), ('b2', 'pump', 'ed25519', 'pem', 'certified', 1),
        ('c3', 'pump', 'ed25519', 'pem', 'revoked', 1);
    insert into enrolment_codes (id, hash, uses_left, created_at) values ('c', 'h', 1, 1);`,
  );
}

function change(path: string, sql: string, below = folder): void {
  const database = new DatabaseSync(join(below, path));
  database.exec(sql);
  database.close();
}

function ask<Row>(path: string, sql: string): Row[] {
  const database = new DatabaseSync(join(inRoot('new'), path), { readOnly: true });
  try {
    return database.prepare(sql).all() as Row[];
  } finally {
    database.close();
  }
}

function make(options: Partial<BackupOptions> = {}): Promise<BackupMade> {
  return createBackup({ folder, file, withArtifacts: true, now: Date.now(), ...options });
}

function restore(options: Partial<RestoreOptions> = {}): Promise<Restored> {
  return restoreBackup(
    { file, folder: inRoot('new'), newTokens: false, ...options },
    { clock: systemClock, random: systemRandom },
  );
}

const contents = (files: Manifest['files']): Manifest => ({
  format: 1,
  version: '0',
  serverId: 'b9d0',
  createdAt: 1,
  files,
  withArtifacts: true,
});

describe('a backup', () => {
  test('holds everything but locks, is readable by its owner only, and restores as it was', async () => {
    const { manifest, missing, bytes } = await make();
    expect(missing).toEqual([]);
    const { mode, size } = await stat(file);
    expect([mode & 0o777, size]).toEqual([0o600, bytes]);
    expect(manifest.files.map(({ path }) => path).sort()).toEqual([
      `artifacts/${digest}`,
      'authority/ca.key.pem',
      'key-service/identities.sqlite',
      'server/fleet.db',
      'server/identity',
      'server/setup-token.used',
      'vault.json',
    ]);
    await restore();
    for (const { path } of manifest.files) {
      const place = join(inRoot('new'), path);
      expect((await stat(place)).mode & 0o777).toBe(0o600);
      if (!/db|sqlite/.test(path)) expect(await readFile(place)).toEqual(await readFile(join(folder, path)));
    }
    expect((await stat(inRoot('new'))).mode & 0o777).toBe(0o700);
    expect(await readdir(root)).toEqual(['made.backup', 'new', 'server']); // nothing is left behind
  });

  test('without artifacts says so; an artifact whose file is gone is named', async () => {
    const { manifest } = await make({ withArtifacts: false });
    expect(manifest).toMatchObject({ withArtifacts: false });
    expect(manifest.files.some(({ path }) => path.startsWith('artifacts/'))).toBe(false);
    await rm(join(folder, 'artifacts', digest));
    expect((await make({ file: inRoot('second') })).missing).toEqual([digest]);
  });

  test('fails for an artifact whose content differs from its name', async () => {
    await writeFile(join(folder, 'artifacts', digest), 'swapped');
    await expect(make()).rejects.toThrow(new RegExp(`artifacts/${digest} is not what it was`));
    expect(await readdir(root)).toEqual(['server']);
  });

  test('leaves out what others put into the folder', async () => {
    await mkdir(join(folder, 'mosquitto'));
    await mkdir(join(folder, 'lost+found'));
    await writeFile(join(folder, 'mosquitto', 'acl'), 'the rules\n');
    for (const foreign of ['mosquitto/acl~', 'authority/a copy.pem', 'older.backup'])
      await writeFile(join(folder, foreign), 'not ours');
    const { manifest } = await make();
    await restore();
    expect(await readFile(join(inRoot('new'), 'mosquitto/acl'), 'utf8')).toBe('the rules\n');
    expect(manifest.files).toHaveLength(8);
  });

  test('that could not be read again is not written', () => {
    const files = [{ path: 'a b', bytes: 0, sha256: '0'.repeat(64) }];
    expect(() => packBackup(contents(files), () => [] as never)).toThrow(/path/);
  });

  test(
    'with a passphrase never puts a key on another disk in clear, not even for a moment',
    async () => {
      const elsewhere = inRoot('elsewhere');
      await mkdir(elsewhere);
      const seen: string[] = [];
      const look = () => {
        for (const entry of readdirSync(elsewhere, { recursive: true, withFileTypes: true })) {
          if (!entry.isFile()) continue;
          try {
            seen.push(readFileSync(join(entry.parentPath, entry.name), 'latin1'));
          } catch (error) {
            // The backup gives it its last name on another thread, between the two calls.
            if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
          }
        }
      };
      const state = { isMade: false };
      const making = make({
        file: join(elsewhere, 'made.backup'),
        passphrase: new Secret('correct horse battery'),
        onProgress: look,
      }).finally(() => {
        state.isMade = true;
      });
      // Progress alone can come before the file is open.
      while (!state.isMade) {
        look();
        await nextTurn();
      }
      await making;
      expect(seen.length).toBeGreaterThan(0);
      expect(seen.filter((text) => /a key|SQLite format/.test(text))).toEqual([]);
    },
    SLOW_MS,
  );

  test('removes what a killed backup left, and does not wait for another one', async () => {
    const copies = join(folder, '.backup', 'copies');
    await mkdir(copies, { recursive: true });
    await writeFile(join(copies, 'left'), 'x');
    const other = await lockFolder(join(folder, '.backup'));
    await expect(make()).rejects.toThrow(/another backup/i);
    await other.release();
    await make();
    expect(existsSync(copies)).toBe(false);
  });

  test('never replaces another file, and needs a server', async () => {
    await writeFile(file, 'older');
    await expect(make()).rejects.toThrow(/is there already/);
    expect(await readFile(file, 'utf8')).toBe('older');
    await expect(make({ folder: root, file: inRoot('other') })).rejects.toThrow(/holds no server/);
  });

  test(
    'opens with its passphrase only',
    async () => {
      const passphrase = new Secret('correct horse battery');
      await make({ passphrase });
      expect((await readFile(file)).includes('a key')).toBe(false);
      await expect(restore()).rejects.toThrow(/is encrypted/);
      await restore({ passphrase });
      expect(await readFile(join(inRoot('new'), 'authority/ca.key.pem'), 'utf8')).toBe('a key\n');
    },
    SLOW_MS,
  );

  test('has an identity for every device of the core, though both databases change meanwhile', async () => {
    const files = ['server/fleet.db', 'key-service/identities.sqlite'].map((path) => join(folder, path));
    // As it happens in a server: registered there, then joined here.
    const writer = new Worker(
      `const { workerData, parentPort } = require('node:worker_threads');
       const { DatabaseSync } = require('node:sqlite');
       const [fleet, keys] = workerData.map((file) => new DatabaseSync(file, { timeout: 5000 }));
       for (const one of [fleet, keys]) one.exec('pragma synchronous = off');
       const identity = keys.prepare("insert into identities (id, type, suite, public_pem, state, registered_at) values (?, 'x', 'ed25519', 'p', 'certified', 1)");
       const device = fleet.prepare("insert into devices (id, type, suite, public_pem, standing, confirms, first_seen_at) values (?, 'x', 'ed25519', 'p', 'joined', 1, 1)");
       for (let n = 0; ; n++) {
         identity.run('d' + n);
         device.run('d' + n);
         if (n === 0) parentPort.postMessage('begun');
       }`,
      { eval: true, workerData: files },
    );
    try {
      await new Promise((resolve) => writer.once('message', resolve));
      for (let round = 0; round < 20; round++) {
        const held = holdDatabases(files);
        const copies = files.map((_, index) => inRoot(`copy-${round}-${index}`));
        for (const [index, path] of files.entries()) await held.copy(path, copies[index] as string);
        held.close();
        const [fleet, keys] = copies.map((path) => new DatabaseSync(path)) as [DatabaseSync, DatabaseSync];
        const count = (database: DatabaseSync, table: string): number =>
          (database.prepare(`select count(*) as n from ${table} where id like 'd%'`).get() as { n: number })
            .n;
        expect(count(keys, 'identities')).toBeGreaterThanOrEqual(count(fleet, 'devices'));
        fleet.close();
        keys.close();
      }
    } finally {
      await writer.terminate();
    }
  });
});

describe('a restored server', () => {
  test('has counters beyond all that the old server can have sent, also for devices that it has not heard of', async () => {
    await make();
    expect(await restore()).toMatchObject({ devices: 1, codesDropped: 1, tokensDropped: 0 });
    const peers = ask<{ device: string; sent: string }>(
      'server/fleet.db',
      'select * from peers order by device',
    );
    const [known, unheard] = peers;
    const jump = BigInt(known?.sent ?? 0) - 4611686018427387999n; // the higher of the two numbers
    expect(jump).toBeGreaterThanOrEqual(2n ** 26n);
    expect(jump).toBeLessThan(2n ** 28n);
    expect(unheard?.device).toBe('b2');
    expect(BigInt(unheard?.sent ?? 0)).toBeGreaterThanOrEqual(2n ** 62n);
    expect(peers).toHaveLength(2); // no device that was revoked
    expect(ask('key-service/identities.sqlite', 'select * from enrolment_codes')).toEqual([]);
    expect(ask('server/fleet.db', 'select id from api_tokens')).toHaveLength(1);
    expect(existsSync(join(inRoot('new'), 'server/setup-token.used'))).toBe(true);
  });

  test('forgets API tokens on request', async () => {
    await make();
    expect(await restore({ newTokens: true })).toMatchObject({ tokensDropped: 1 });
    expect(ask('server/fleet.db', 'select id from api_tokens')).toEqual([]);
    expect(existsSync(join(inRoot('new'), 'server/setup-token.used'))).toBe(false);
  });

  test('is not made in a folder that is in use, nor with a clock that is before the backup', async () => {
    await make({ now: Date.now() + 60_000 });
    await expect(restore()).rejects.toThrow(/of the future/);
    await rm(file);
    await make();
    await expect(restore({ folder: root })).rejects.toThrow(/is not empty/);
    await mkdir(inRoot('new'));
    await restore();
  });
});

describe('a backup that is not what it was', () => {
  /** Nothing was written, and nothing is left. */
  async function refused(message: RegExp): Promise<void> {
    await expect(restore()).rejects.toThrow(message);
    expect((await readdir(root)).filter((name) => name !== 'made.backup')).toEqual(['server']);
  }

  test.each([
    ['cut off', (bytes: Buffer) => bytes.subarray(0, bytes.length - 2000), /damaged|not whole/],
    ['empty', () => Buffer.alloc(0), /not a backup of srup/],
    ['something else', () => Buffer.from('hello, world'), /not a backup of srup/],
    [
      'a byte changed',
      (bytes: Buffer) => bytes.fill(bytes.readUInt8(9000) ^ 1, 9000, 9001),
      /damaged|not what it was/,
    ],
  ])('is refused: %s', async (_what, spoil, message) => {
    await make();
    await writeFile(file, spoil(await readFile(file)));
    await refused(message);
  });

  const entry = (path: string, text: string) => ({
    path,
    bytes: text.length,
    sha256: createHash('sha256').update('right').digest('hex'),
  });
  const tar = async (listed: Manifest['files'], names: readonly string[]): Promise<Buffer> =>
    gzipSync(
      await packTar([
        {
          header: { name: 'manifest.json', size: JSON.stringify(contents(listed)).length },
          body: JSON.stringify(contents(listed)),
        },
        ...names.map((name) => ({ header: { name, size: 5 }, body: 'right' })),
      ]),
    );

  test.each([
    ['a file more', [entry('a', 'right')], ['a', 'b'], /which its manifest does not list/],
    ['a file twice', [entry('a', 'right')], ['a', 'a'], /which its manifest does not list/],
    ['a file less', [entry('a', 'right'), entry('b', 'right')], ['a'], /b is missing/],
    ['a way out', [entry('../a', 'right')], ['../a'], /damaged/],
    ['a way out by root', [entry('/a', 'right')], ['/a'], /damaged/],
    ['a hidden file', [entry('server/.x', 'right')], ['server/.x'], /damaged/],
    ['another length', [entry('a', 'rightly')], ['a'], /not what it was/],
  ])('is refused: %s', async (_what, listed, names, message) => {
    await writeFile(file, await tar(listed, names));
    await refused(message);
  });

  test('is refused when it is of a newer version, or its database is damaged', async () => {
    change('server/fleet.db', "insert into kysely_migration values ('fleet-999', 'x')");
    await make();
    await refused(/newer version/);
    change('server/fleet.db', "delete from kysely_migration where name = 'fleet-999'");
    await rm(file);
    const path = join(folder, 'server/fleet.db');
    const bytes = await readFile(path);
    await writeFile(path, bytes.fill(0xff, 8192, 12_288));
    await make();
    await refused(/damaged|malformed/);
  });

  test('of an older version is brought up to date before revocations are put in force', async () => {
    const step = "delete from kysely_migration where name = 'keyservice-restore-001'";
    change('key-service/identities.sqlite', `drop table foreign_revocations; ${step}`);
    await make();
    await restore();
    expect(ask('key-service/identities.sqlite', 'select * from foreign_revocations')).toEqual([]);
  });

  test('leaves out links', async () => {
    await symlink('/etc/hostname', join(folder, 'server', 'link'));
    const { manifest } = await make();
    expect(manifest.files.some(({ path }) => path === 'server/link')).toBe(false);
    const packed = packBackup(contents([entry('a', 'right')]), () => [Buffer.from('wrong')] as never);
    await expect(buffer(packed)).rejects.toThrow(/not what it was/);
  });
});
