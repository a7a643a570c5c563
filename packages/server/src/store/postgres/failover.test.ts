import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { until } from '@srup/node/testing';
import { isMissing, locate } from '../../../../../scripts/system-programs.ts';
import { startCuttingProxy } from '../../../../../test/support/cutting-proxy.ts';
import { daemonEnvironment, folderFor, ownerOf, startGuarded } from '../../../../../test/support/guarded.ts';
import { freePort } from '../../../../../test/support/ports.ts';
import { startPostgres, type Postgres } from '../../../../../test/support/postgres.ts';
import { placeAt } from '../../../test/postgres.ts';
import { idsIn, insert, noteMigrations, type NoteTables } from '../../../test/store-suite.ts';
import { StoreFault } from '../fault.ts';
import { openPostgres } from './open.ts';
import { TIMES } from './times.ts';

type Later = (step: () => Promise<void>) => void;

interface Standby {
  readonly port: number;
  promote(): Promise<void>;
}

/** A copy of a PostgreSQL that follows it. */
async function startStandby(of: Postgres, later: Later): Promise<Standby> {
  const owner = ownerOf('postgres');
  const folder = await folderFor(owner, 'srup-standby-');
  later(() => rm(folder, { recursive: true, force: true }));
  const [data, port] = [join(folder, 'data'), await freePort()];
  const bin = dirname(locate('postgres') ?? '');
  const env = { ...daemonEnvironment(), PGPASSWORD: of.password };
  const from = ['-h', '127.0.0.1', '-p', String(of.port), '-U', 'postgres'];
  await promisify(execFile)(
    join(bin, 'pg_basebackup'),
    [...from, '-D', data, '-R', '-X', 'stream', '-c', 'fast', '--no-sync'],
    { ...owner, cwd: folder, env },
  );
  const running = await startGuarded({
    command: [
      locate('postgres') ?? '',
      ...['-D', data, '-p', String(port), '-c', `unix_socket_directories=${folder}`],
    ],
    owner,
    folder,
    endsBy: 'QUIT',
    ready: /ready to accept read-only connections/,
  });
  later(async () => {
    running.signal('SIGQUIT');
    await running.ended;
  });
  return {
    port,
    promote: async () => {
      await promisify(execFile)(join(bin, 'pg_ctl'), ['promote', '-D', data, '-w'], {
        ...owner,
        cwd: folder,
        env,
      });
    },
  };
}

function atPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}

describe.skipIf(isMissing('postgres'))('PostgreSQL elsewhere', () => {
  test('a fail-over: a standby is waited for until it is promoted; then all goes on by itself', async ({
    onTestFinished,
  }) => {
    const steps: (() => Promise<void>)[] = [];
    onTestFinished(async () => {
      for (const step of steps.toReversed()) await step();
    });
    const later: Later = (step) => steps.push(step);
    const primary = await startPostgres({ fsync: false, settings: { wal_level: 'replica' } });
    later(() => primary.clear());
    const url = await primary.createDatabase();
    const proxy = await startCuttingProxy(primary.port);
    later(() => proxy.close());
    const told: string[] = [];
    const store = await openPostgres<NoteTables>(
      placeAt(atPort(url, proxy.port)),
      noteMigrations,
      { tell: (what) => told.push(what) },
      { ...TIMES, patienceMs: 1_000, settleMs: 1_000 },
    );
    later(() => store.close());
    await insert(store, 1);
    const standby = await startStandby(primary, later);
    await insert(store, 2);
    await until('it is synchronous', async () => {
      const rows = await primary.query(
        'select 1 from pg_stat_replication where replay_lsn = pg_current_wal_lsn()',
      );
      return rows.length > 0;
    });
    await primary.kill();
    proxy.leadTo(standby.port);
    await expect(insert(store, 3)).rejects.toBeInstanceOf(StoreFault);
    await until('it says why', () =>
      told.some((what) => what.includes('is a standby, which can only be read')),
    );
    await standby.promote();
    await until('it goes on', () =>
      insert(store, 4).then(
        () => true,
        () => false,
      ),
    );
    expect(await idsIn(store)).toEqual([1, 2, 4]);
  });

  test('a disk that is full: nothing is stored and nothing lost, and all goes on when there is room', async ({
    onTestFinished,
    skip,
  }) => {
    const small = await mkdtemp(join(tmpdir(), 'srup-small-'));
    onTestFinished(() => rm(small, { recursive: true, force: true }));
    const { uid, gid } = ownerOf('postgres');
    const options = `size=24m,mode=0700,uid=${uid ?? 0},gid=${gid ?? 0}`;
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', small]).status !== 0)
      skip('needs to be root and to mount');
    onTestFinished(() => {
      spawnSync('umount', ['-l', small]);
    });
    const postgres = await startPostgres({ fsync: false });
    onTestFinished(() => postgres.clear());
    await postgres.query(`create tablespace small location '${small}'`);
    await postgres.query('create database full_soon tablespace small');
    const place = placeAt(postgres.url.replace(/\/postgres$/, '/full_soon'));
    const store = await openPostgres<NoteTables>(place, noteMigrations);
    const stored: number[] = [];
    const text = () => Array.from({ length: 40_000 }, () => Math.random().toString(36)).join('');
    let fault: unknown;
    for (let id = 1; fault === undefined && id < 200; id++) {
      await insert(store, id, text()).then(
        () => stored.push(id),
        (caught: unknown) => (fault = caught),
      );
    }
    expect(fault).toBeInstanceOf(StoreFault);
    expect((fault as Error).message).toMatch(/No space left on device/);
    expect(await idsIn(store)).toEqual(stored);
    spawnSync('mount', ['-o', 'remount,size=96m', small]);
    await insert(store, 1_000, text());
    expect(await idsIn(store)).toEqual([...stored, 1_000]);
    await store.close();
  });
});
