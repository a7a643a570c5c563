/** The PostgreSQL and the PgBouncer of other tests are what these tests take them for. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client, type ClientConfig } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isMissing } from '../../scripts/system-programs.ts';
import { newGround } from './server.ts';
import { startPgbouncer } from './pgbouncer.ts';
import { startPostgres, type Postgres } from './postgres.ts';
import { until } from './wait.ts';

/** A client that is still connected, and what broke its connection. */
async function connected(config: ClientConfig): Promise<{ client: Client; broken: Promise<Error> }> {
  const client = new Client(config);
  const broken = new Promise<Error>((resolve) => client.on('error', resolve));
  await client.connect();
  return { client, broken };
}

function isThere(pid: number): boolean {
  const args = ['-A', '-o', 'pid=,stat='];
  const table = execFileSync('ps', args, { encoding: 'utf8' }).split('\n');
  // One that has ended, but whose parent has not asked how, is still in the table as Z.
  return table.some((line) => new RegExp(`^\\s*${pid}\\s+[^Z]`).test(line));
}

describe.skipIf(isMissing('postgres'))('a PostgreSQL of a test', () => {
  let postgres: Postgres;

  beforeAll(async () => {
    postgres = await startPostgres({ maxConnections: 20, settings: { statement_timeout: '90s' } });
    await postgres.query('create table kept (word text)');
  });
  afterAll(() => postgres.clear());

  const kept = async (): Promise<unknown[]> =>
    (await postgres.query<{ word: string }>('select word from kept order by word')).map(({ word }) => word);

  test('syncs, has the settings that were asked for, and wants its password', async () => {
    const names = "'fsync', 'max_connections', 'statement_timeout', 'listen_addresses', 'lc_collate'";
    const rows = await postgres.query(`select name, setting from pg_settings where name in (${names})`);
    expect(Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))).toEqual({
      fsync: 'on',
      lc_collate: 'C',
      listen_addresses: '127.0.0.1',
      max_connections: '20',
      statement_timeout: '90000',
    });
    const wrong = connected({ connectionString: postgres.url.replace(postgres.password, 'guessed') });
    await expect(wrong).rejects.toMatchObject({ code: '28P01' });
    const byOthers = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    for (const { address } of byOthers.filter(({ internal, family }) => !internal && family === 'IPv4'))
      await expect(connected({ host: address, port: postgres.port })).rejects.toThrow('ECONNREFUSED');
  });

  test.for(['fast', 'immediate'] as const)(
    'keeps its rows and its port in a restart (%s)',
    async (ending) => {
      const [before, url] = [postgres.pid, postgres.url];
      await postgres.query(`insert into kept values ('${ending}')`);
      const { broken } = await connected({ connectionString: url });
      await postgres.restart(ending);
      expect(await broken).toBeInstanceOf(Error);
      expect(postgres.pid).not.toBe(before);
      expect(await kept()).toContain(ending);
      const { client } = await connected({ connectionString: url });
      await client.end();
    },
  );

  test('dies at one go and recovers what was committed, and no more', async () => {
    await postgres.query("insert into kept values ('committed')");
    const open = await connected({ connectionString: postgres.url });
    await open.client.query("begin; insert into kept values ('open')");
    const busy = await connected({ connectionString: postgres.url });
    const { rows } = await busy.client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const sleeping = busy.client.query('select pg_sleep(80)').catch((error: unknown) => error);

    await postgres.kill();
    expect([postgres.pid, rows[0]!.pid].filter(isThere)).toEqual([]);
    expect(await sleeping).toBeInstanceOf(Error);
    expect(await open.broken).toBeInstanceOf(Error);
    await expect(postgres.query('select 1')).rejects.toThrow();

    await postgres.start();
    expect(postgres.log()).toContain('database system was not properly shut down');
    const words = await kept();
    expect(words).toContain('committed');
    expect(words).not.toContain('open');
  });

  test('is stopped and started as often as one likes', async () => {
    await postgres.stop();
    await postgres.stop();
    await postgres.kill();
    await postgres.start();
    await expect(postgres.start()).rejects.toThrow('runs already');
    expect(postgres.log()).toContain('database system is shut down');
  });

  test('makes and drops databases', async () => {
    const url = await postgres.createDatabase('depot');
    await postgres.query('create table only_here ()', 'depot');
    const { broken } = await connected({ connectionString: url });
    await postgres.dropDatabase(url);
    expect(await broken).toBeInstanceOf(Error);
    await expect(postgres.query('select 1', 'depot')).rejects.toMatchObject({ code: '3D000' });
    await postgres.dropDatabase('depot');
  });

  test.skipIf(isMissing('pgbouncer'))('lends its sessions by a PgBouncer', async ({ onTestFinished }) => {
    const pgbouncer = await startPgbouncer(postgres, { poolMode: 'transaction' });
    onTestFinished(() => pgbouncer.clear());
    const pooled = { connectionString: pgbouncer.through(postgres.url) };
    const [one, other] = [await connected(pooled), await connected(pooled)];
    const backendOf = async ({ client }: typeof one): Promise<unknown> =>
      (await client.query('select pg_backend_pid() as pid')).rows;
    expect(await backendOf(one)).toEqual(await backendOf(other));
    await one.client.query('begin');
    const mine = await backendOf(one);
    expect(await backendOf(other)).not.toEqual(mine);
    await pgbouncer.clear();
    expect(await one.broken).toBeInstanceOf(Error);
    expect(pgbouncer.log()).toContain('login attempt');
  });
});

describe.skipIf(isMissing('postgres'))('nothing of a PostgreSQL is left behind', () => {
  test('when it is cleared', async () => {
    const postgres = await startPostgres({ fsync: false });
    await postgres.clear();
    expect(isThere(postgres.pid)).toBe(false);
    expect(existsSync(postgres.socketFolder)).toBe(false);
  });

  test.for(['SIGTERM', 'SIGKILL'] as const)('when its test ends by %s', async (signal) => {
    const program = `
      const { startPostgres } = await import(${JSON.stringify(new URL('postgres.ts', import.meta.url))});
      const { pid, socketFolder } = await startPostgres({ fsync: false });
      console.log(JSON.stringify({ pid, socketFolder }));`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { pid, socketFolder } = JSON.parse(line) as Pick<Postgres, 'pid' | 'socketFolder'>;
    expect(isThere(pid)).toBe(true);
    child.kill(signal);
    await until('PostgreSQL is gone', () => !isThere(pid));
    await until('its folder is gone', () => !existsSync(socketFolder));
  });
});

describe.skipIf(isMissing('postgres') || isMissing('openssl'))('a PostgreSQL with a certificate', () => {
  test('takes TLS alone', async ({ onTestFinished }) => {
    const ground = await newGround();
    onTestFinished(() => ground.clear());
    const [keyFile, certificateFile] = [join(ground.folder, 'key'), join(ground.folder, 'certificate')];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=depot'];
    const files = ['-keyout', keyFile, '-out', certificateFile];
    const names = ['-addext', 'subjectAltName=IP:127.0.0.1'];
    execFileSync('openssl', ['req', '-x509', ...kind, ...names, ...files], { stdio: 'ignore' });
    const certificate = readFileSync(certificateFile, 'utf8');
    const tls = { certificate, key: readFileSync(keyFile, 'utf8') };
    const postgres = await startPostgres({ fsync: false, tls });
    ground.later(() => postgres.clear());

    await expect(connected({ connectionString: postgres.url })).rejects.toMatchObject({ code: '28000' });
    const { client } = await connected({ connectionString: postgres.url, ssl: { ca: certificate } });
    const { rows } = await client.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    expect(rows).toEqual([{ ssl: true }]);
    await client.end();
  });
});
