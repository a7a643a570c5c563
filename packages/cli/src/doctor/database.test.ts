import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
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

const wrong = (all: readonly Judgement[]) => all.filter(({ verdict }) => verdict !== 'ok');

async function receiveWal(postgres: Postgres, later: Later): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'srup-wal-'));
  const child = spawn(
    'pg_receivewal',
    ['-D', folder, '-h', '127.0.0.1', '-p', String(postgres.port), '-U', 'postgres'],
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
    expect(good.map(({ what }) => what).join()).toMatch(
      /is PostgreSQL \d+\.\d+ with the encoding UTF8.*does not leave this machine.*its clock agrees/,
    );

    await postgres.query('alter system set autovacuum = off');
    await postgres.query('select pg_reload_conf()');
    await receiveWal(postgres, onTestFinished);
    await postgres.query("create role guest login password 'guest'");
    const guest = new URL(url);
    [guest.username, guest.password] = ['guest', 'guest'];
    const said = wrong(await examine(guest.href, onTestFinished)).map(({ what }) => what);
    expect(said).toEqual([
      'its user may not make tables',
      expect.stringMatching(/^1 standbys are asynchronous/),
      expect.stringMatching(/^autovacuum is off/),
    ]);
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
