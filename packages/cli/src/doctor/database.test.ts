import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Client } from 'pg';
import { until } from '@srup/node/testing';
import { isMissing } from '../../../../scripts/system-programs.ts';
import { startPostgres, type Postgres } from '../../../../test/support/postgres.ts';
import { databaseChecks } from './database.ts';
import type { Judgement } from './finding.ts';

type Later = (step: () => Promise<void>) => void;

/** The findings about a server whose folder says that its databases are there. */
async function examine(url: string, later: Later): Promise<readonly Judgement[]> {
  const folder = await mkdtemp(join(tmpdir(), 'srup-doctor-'));
  later(() => rm(folder, { recursive: true }));
  const place = new URL(url);
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, place.password);
  place.password = '';
  await mkdir(join(folder, 'server'));
  await writeFile(join(folder, 'server', 'database.json'), JSON.stringify({ url: place.href, passwordFile }));
  const [check] = databaseChecks(folder);
  return (await check?.run()) ?? [];
}

/** The URL for a new role that has no rights but to log in. */
async function roleAt(postgres: Postgres, url: string, name: string): Promise<string> {
  await postgres.query(`create role ${name} login password '${name}'`);
  const place = new URL(url);
  [place.username, place.password] = [name, name];
  return place.href;
}

const words = (all: readonly Judgement[]) => all.map(({ what }) => what);
const wrong = (all: readonly Judgement[]) => all.filter(({ verdict }) => verdict !== 'ok');

async function receiveWal(postgres: Postgres, later: Later, more: readonly string[] = []): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'srup-wal-'));
  const child = spawn(
    'pg_receivewal',
    ['-D', folder, '-h', '127.0.0.1', '-p', String(postgres.port), '-U', 'postgres', ...more],
    {
      env: { ...process.env, PGPASSWORD: postgres.password },
      stdio: 'ignore',
    },
  );
  later(async () => {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });
  await until('it follows', async () => {
    const rows = await postgres.query("select 1 from pg_stat_replication where state = 'streaming'");
    return rows.length > 0;
  });
}

describe.skipIf(isMissing('postgres'))('the databases of a server on PostgreSQL', () => {
  test('a good one, and what can be wrong with it', async ({ onTestFinished }) => {
    const postgres = await startPostgres();
    onTestFinished(() => postgres.clear());
    const url = await postgres.createDatabase();
    const good = await examine(url, onTestFinished);
    expect(wrong(good)).toEqual([]);
    expect(words(good).join()).toMatch(
      /is PostgreSQL \d+\.\d+ with the encoding UTF8.*does not leave this machine.*its clock agrees/,
    );

    await postgres.query('alter system set autovacuum = off');
    await postgres.query('select pg_reload_conf()');
    await receiveWal(postgres, onTestFinished);
    const guest = await roleAt(postgres, url, 'guest');
    const said = words(wrong(await examine(guest, onTestFinished)));
    expect(said).toEqual([
      'its user may not make tables',
      expect.stringMatching(/^1 standbys are asynchronous/),
      expect.stringMatching(/^autovacuum is off/),
    ]);
  });

  test('an ordinary role sees the sessions of others, and counts no process of PostgreSQL itself', async ({
    onTestFinished,
  }) => {
    const postgres = await startPostgres({ fsync: false });
    onTestFinished(() => postgres.clear());
    const url = await postgres.createDatabase();
    const guest = await roleAt(postgres, url, 'guest');
    await receiveWal(postgres, onTestFinished);
    expect(words(await examine(guest, onTestFinished))).toEqual(
      expect.arrayContaining(['nobody else uses it', '1 of its 100 connections are in use']),
    );
    for (const database of [url, postgres.url]) {
      const other = new Client({ connectionString: database });
      other.on('error', () => undefined); // PostgreSQL ends first
      await other.connect();
    }
    for (const role of [guest, url]) {
      expect(words(await examine(role, onTestFinished))).toEqual(
        expect.arrayContaining([
          'other programs than SRUP have 1 sessions in it',
          '3 of its 100 connections are in use',
        ]),
      );
    }
  });

  test('with synchronous_commit = local, a synchronous standby can lack what was acknowledged', async ({
    onTestFinished,
  }) => {
    const postgres = await startPostgres();
    onTestFinished(() => postgres.clear());
    const url = await postgres.createDatabase();
    const set = `alter database "${new URL(url).pathname.slice(1)}" set synchronous_commit`;
    await postgres.query(`${set} = local`);
    await receiveWal(postgres, onTestFinished, ['--synchronous']);
    await postgres.query("alter system set synchronous_standby_names = 'pg_receivewal'");
    await postgres.query('select pg_reload_conf()');
    await until('it is synchronous', async () => {
      const rows = await postgres.query("select 1 from pg_stat_replication where sync_state = 'sync'");
      return rows.length > 0;
    });
    expect(wrong(await examine(url, onTestFinished))).toMatchObject([
      {
        verdict: 'warning',
        what: expect.stringMatching(/^synchronous_commit is local.*go back in time/) as string,
      },
    ]);
    // The server mends this one for its own session.
    await postgres.query(`${set} = off`);
    expect(wrong(await examine(url, onTestFinished))).toEqual([]);
  });

  test('one that is away, and one that does not let us in', async ({ onTestFinished }) => {
    const postgres = await startPostgres({ fsync: false });
    onTestFinished(() => postgres.clear());
    const guessed = postgres.url.replace(postgres.password, 'guessed');
    expect(await examine(guessed, onTestFinished)).toMatchObject([
      { verdict: 'failed', what: expect.stringMatching(/password authentication failed/) as string },
    ]);
    expect(wrong(await examine(postgres.url, onTestFinished))).toMatchObject([
      { verdict: 'warning', what: expect.stringMatching(/^fsync is off/) as string },
    ]);
    await postgres.stop();
    expect(await examine(postgres.url, onTestFinished)).toMatchObject([
      { verdict: 'failed', what: expect.stringMatching(/can't be reached: .*ECONNREFUSED/) as string },
    ]);
  });
});
