import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { isMissing } from '../../../../scripts/system-programs.ts';
import { postgresFor } from '../../../../test/support/postgres-for.ts';
import { startPostgres } from '../../../../test/support/postgres.ts';
import { runSrup, startSrup, type Outcome } from '../../test/run-srup.ts';

let root: string;
let folder: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'srup-database-'));
  folder = join(root, 'server');
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

/** Starts a server, and stops it when `work` is done. Gives what it printed. */
async function whileUp(
  work: () => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const child = startSrup(['up', '--folder', folder, '--https-port', '0', '--mqtts-port', '0'], { env });
  const closed = once(child, 'close');
  onTestFinished(() => void child.kill('SIGKILL'));
  const printed = await readyText(child);
  await work();
  child.kill('SIGTERM');
  expect(await closed).toEqual([0, null]);
  return printed;
}

function readyText(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (text.includes('Ctrl-C stops it.')) resolve(text);
      });
    }
    child.once('close', () => {
      reject(new Error(`the server ended: ${text}`));
    });
  });
}

const database = (command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  runSrup(['database', command, '--folder', folder, ...args], { env });

function expectMistake({ code, stderr }: Outcome, words: RegExp): void {
  expect(stderr).toMatch(words);
  expect(stderr.trim().split('\n')).toHaveLength(2);
  expect(code).toBe(2);
}

describe.skipIf(isMissing('postgres'))('srup database', { timeout: 180_000 }, () => {
  test('moves a server to PostgreSQL and back', async () => {
    const url = new URL(await postgresFor(onTestFinished));
    const env = { SRUP_DATABASE_PASSWORD: url.password };
    url.password = '';
    await whileUp(async () => {
      expectMistake(
        await database('copy', ['--to', url.href], env),
        /^srup: The server runs: .* is in use by process \d+\.\nStop it first\.$/m,
      );
    });
    const there = await database('copy', ['--from', 'sqlite', '--to', url.href], env);
    expect(there.stderr).toMatch(/^Start the server as before: .*up --folder/m);
    expect(there.stdout).toMatch(/^Rows +\d+ in 25 tables, compared$/m);
    expect(there.stdout).toMatch(/^Audit trail +\d+ entries, ending with [0-9a-f]{16}$/m);
    expect(there.code).toBe(0);
    expect((await database('show', [])).stdout).toContain(url.href);
    expect(await whileUp(async () => undefined, env)).toContain(`Database        ${url.href}`);

    expectMistake(
      await database('copy', ['--from', 'sqlite', '--to', 'sqlite'], env),
      /^srup: What this server knows is not there\.\nIt is here: postgres:/m,
    );
    const back = await database('copy', ['--to', 'sqlite', '--json'], env);
    expect(JSON.parse(back.stdout)).toMatchObject({
      folder,
      from: url.href,
      to: 'SQLite files in the folder',
    });
    expect(JSON.parse((await database('show', ['--json'])).stdout)).toEqual({ folder, kind: 'sqlite' });
    expect(await whileUp(async () => undefined)).not.toContain('Database  ');
    expectMistake(
      await runSrup(
        ['up', '--folder', folder, '--https-port', '0', '--mqtts-port', '0', '--database', url.href],
        { env },
      ),
      /^srup: What this server knows is in another database: files in .*\nStop the server and move it: srup database copy/m,
    );
  });
});

/** A PostgreSQL with another password than that which the tests share. */
async function urlOfAnother(): Promise<URL> {
  const postgres = await startPostgres({ fsync: false });
  onTestFinished(() => postgres.clear());
  return new URL(await postgres.createDatabase());
}

test.skipIf(isMissing('postgres'))(
  'a server moves between two PostgreSQLs with two passwords, and knows its own under the address that it was given only',
  { timeout: 180_000 },
  async () => {
    const [one, other] = [new URL(await postgresFor(onTestFinished)), await urlOfAnother()];
    const file = join(root, 'password');
    await writeFile(file, one.password);
    const env = { SRUP_DATABASE_PASSWORD: other.password };
    one.password = other.password = '';
    await whileUp(async () => undefined);
    const there = await database('copy', ['--to', one.href, '--database-password-file', file]);
    expect(there.stderr).toContain('Start the server as before');
    const onward = await database('copy', ['--to', other.href, '--json'], env);
    expect(JSON.parse(onward.stdout)).toMatchObject({ from: one.href, to: other.href });

    const renamed = new URL(other);
    renamed.hostname = 'localhost';
    expectMistake(
      await runSrup(
        ['up', '--folder', folder, '--https-port', '0', '--mqtts-port', '0', '--database', renamed.href],
        { env },
      ),
      /same database under another address, do not copy: change "url" in .*server\/database\.json to postgres:.*localhost/,
    );
  },
);

test.each<[string[], RegExp]>([
  [['copy', '--to', 'sqlite'], /there is no server in/],
  [['show'], /there is no server in/],
])('%j needs a server', async ([command = '', ...args], words) => {
  expectMistake(await database(command, args), words);
});

test.each<[string[], RegExp]>([
  [['--to', 'mysql://db.example/srup'], /"mysql:.*" is not a place for the database\nWrite it as/],
  [['--to', 'postgres://srup:secret@db.example/srup'], /holds a password/],
  [['--to', 'postgres://srup@127.0.0.1:1/srup'], /has not stored anything yet/],
])('copy %j says what is wrong', async (args, words) => {
  await mkdir(join(folder, 'server'), { recursive: true });
  await writeFile(join(folder, 'vault.json'), '{}');
  await writeFile(join(folder, 'server', 'identity'), 'a1\n');
  expectMistake(await database('copy', args), words);
});
