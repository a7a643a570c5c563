/** A real server whose PostgreSQL is not there. */
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { isMissing } from '../../scripts/system-programs.ts';
import { noteDatabase } from '../support/database.ts';
import { test } from '../support/fixtures.ts';
import { freePort } from '../support/ports.ts';
import { startPostgres } from '../support/postgres.ts';
import { startSrup } from '../support/processes.ts';
import type { Ground } from '../support/server.ts';
import { until } from '../support/wait.ts';

const MINUTE = 60_000;

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Undefined: nobody answers. */
function get(url: string): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const asking = request(url, { rejectUnauthorized: false, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => (body += text));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body });
      });
    });
    asking.on('error', () => {
      resolve(undefined);
    });
    asking.end();
  });
}

async function prepareFolder(ground: Ground, databaseUrl: string): Promise<string> {
  await noteDatabase(ground, databaseUrl);
  return join(ground.folder, 'server');
}

describe.skipIf(isMissing('postgres'))('srup up on PostgreSQL', () => {
  test('which fails while the server starts: it says so, begins anew, and runs once it is mended', async ({
    ground,
  }) => {
    const postgres = await startPostgres({ fsync: false });
    ground.later(() => postgres.clear());
    const url = new URL(await postgres.createDatabase());
    const database = url.pathname.slice(1);
    await postgres.query("create role owner login password 'of-the-test'");
    await postgres.query(`alter database ${database} owner to owner`);
    [url.username, url.password] = ['owner', 'of-the-test'];
    const folder = await prepareFolder(ground, url.href);
    const up = () => startSrup(['up', '--folder', folder, '--https-port', '0', '--mqtts-port', '0']);
    const isUp = (server: ReturnType<typeof up>) => server.stdout().includes('Ctrl-C stops it');
    const first = up();
    ground.later(() => first.stop());
    await until('it runs', () => isUp(first));
    await first.stop();

    await postgres.query('revoke select on srup_keys.certificates from owner', database);
    const second = up();
    ground.later(() => second.stop());
    await until('it has begun anew', () => {
      expect(second.child.exitCode, second.stderr()).toBe(null);
      return second.stderr().includes('begins anew: permission denied');
    });
    await postgres.query('grant select on srup_keys.certificates to owner', database);
    await until('it runs', () => isUp(second));
  });

  test(
    'waits for a database that is away, says for what, ends by Ctrl-C, goes on when it comes, and says when it goes',
    { timeout: 3 * MINUTE },
    async ({ ground }) => {
      const postgres = await startPostgres({ fsync: false });
      ground.later(() => postgres.clear());
      const folder = await prepareFolder(ground, await postgres.createDatabase());
      await postgres.stop();
      const port = await freePort();
      const args = ['up', '--folder', folder, '--https-port', String(port), '--mqtts-port', '0'];
      const url = `https://localhost:${port}`;

      const first = startSrup(args);
      ground.later(() => first.stop('SIGKILL'));
      await until('it says so', () => /waits for the database postgres:.*ECONNREFUSED/.test(first.stderr()));
      await until('it answers', async () => (await get(`${url}/readyz`)) !== undefined);
      expect(await get(`${url}/readyz`)).toMatchObject({
        status: 503,
        body: expect.stringContaining('"starting"') as string,
      });
      expect(await first.stop('SIGINT')).toBe('SIGINT');

      const second = startSrup(args);
      ground.later(() => second.stop());
      await until('it says so', () => second.stderr().includes('waits for the database'));
      await postgres.start();
      await until('it is ready', async () => (await get(`${url}/readyz`))?.status === 200);

      await postgres.stop();
      await until('it is not ready, and says why', async () => {
        const { status, body } = (await get(`${url}/readyz`)) ?? {};
        return status === 503 && body?.includes('the database is away') === true;
      });
      expect((await get(`${url}/healthz`))?.status).toBe(200);
      const answer = await get(`${url}/KeyEx/register/status`);
      expect(answer).toMatchObject({ status: 503 });
      await postgres.start();
      await until('it is ready again', async () => (await get(`${url}/readyz`))?.status === 200);
      await postgres.stop();
      await until('it noticed', () => second.stderr().split('is lost').length > 2);
      expect(await second.stop('SIGTERM')).toBe(0);
      expect(second.stderr()).not.toMatch(/unhandled|unexpected fault|^ +at /im);
    },
  );

  test('a server that was killed can start again soon', { timeout: 2 * MINUTE }, async ({ ground }) => {
    const postgres = await startPostgres({ fsync: false });
    ground.later(() => postgres.clear());
    const folder = await prepareFolder(ground, await postgres.createDatabase());
    const args = ['up', '--folder', folder, '--https-port', '0', '--mqtts-port', '0'];
    const first = startSrup(args);
    ground.later(() => first.stop('SIGKILL'));
    await until('it runs', () => first.stdout().includes('Ctrl-C stops it'));
    await first.stop('SIGKILL');
    const second = startSrup(args);
    ground.later(() => second.stop());
    await until('it runs again', () => second.stdout().includes('Ctrl-C stops it'), 15_000);
    const note = await readFile(join(folder, 'server', 'database.json'), 'utf8');
    expect(note).not.toContain(postgres.password);
  });
});
