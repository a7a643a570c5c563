import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isMissing } from '../../../../scripts/system-programs.ts';
import { freePort } from '../../../../test/support/ports.ts';
import { postgresFor } from '../../../../test/support/postgres-for.ts';
import { killAll, runSrup, startSrup } from '../../test/run-srup.ts';

let root: string;
let folder: string;
let running: ChildProcess[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'srup-up-database-'));
  folder = join(root, 'server');
  running = [];
});

afterEach(async () => {
  await killAll(running);
  await rm(root, { recursive: true });
});

/** Each start of a server takes seconds on a busy machine. */
const SLOW_MS = 90_000;
const ANY_PORTS = ['--https-port', '0', '--mqtts-port', '0'];

interface Started {
  readonly child: ChildProcess;
  /** Resolves with all that was printed until `text` appears on one of the streams. */
  until(text: string): Promise<string>;
}

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Started {
  const child = startSrup(['up', '--folder', folder, ...args], { env });
  running.push(child);
  let printed = '';
  const listeners = new Set<() => void>();
  const hear = (text: string) => {
    printed += text;
    for (const listener of listeners) listener();
  };
  child.stdout?.setEncoding('utf8').on('data', hear);
  child.stderr?.setEncoding('utf8').on('data', hear);
  const until = (text: string) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        if (printed.includes(text)) resolve(printed);
      };
      listeners.add(look);
      child.once('close', () => {
        reject(new Error(`ended before "${text}": ${printed}`));
      });
      look();
    });
  return { child, until };
}

async function stop({ child }: Started): Promise<void> {
  child.kill('SIGTERM');
  expect(await once(child, 'close')).toEqual([0, null]);
}

function statusAt(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    // The folder's CA is not what this is about.
    const asked = request({ port, path: '/readyz', rejectUnauthorized: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    asked.on('error', () => {
      resolve(undefined);
    });
    asked.end();
  });
}

describe.skipIf(isMissing('postgres'))('srup up --database', { timeout: SLOW_MS }, () => {
  test('works on PostgreSQL, and remembers it', async ({ onTestFinished }) => {
    const url = new URL(await postgresFor(onTestFinished));
    const { password } = url;
    url.password = '';
    const file = join(root, 'password');
    await writeFile(file, `${password}\n`, { mode: 0o644 });
    const first = start([...ANY_PORTS, '--database', url.href, '--database-password-file', file]);
    const printed = await first.until('Ctrl-C stops it.');
    expect(printed).toMatch(new RegExp(`^ {2}Database +${url.href}$`, 'm'));
    expect(printed).toContain(`${file}, with the password of the database, can be read`);
    expect(printed).not.toContain('WARNING');
    await stop(first);
    expect(JSON.parse(await readFile(join(folder, 'server', 'database.json'), 'utf8'))).toEqual({
      url: url.href,
      passwordFile: file,
      server: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
    });
    const second = start(ANY_PORTS);
    expect(await second.until('Ctrl-C stops it.')).toContain(url.href);
    await stop(second);
    const third = start([...ANY_PORTS, '--database', url.href], { SRUP_DATABASE_PASSWORD: password });
    await third.until('Ctrl-C stops it.');
    await stop(third);
  });

  test('says that the password is wrong', async ({ onTestFinished }) => {
    const url = new URL(await postgresFor(onTestFinished));
    url.password = '';
    const { code, stderr } = await runSrup(['up', '--folder', folder, ...ANY_PORTS, '--database', url.href], {
      env: { SRUP_DATABASE_PASSWORD: 'guessed' },
    });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^srup: The database .* can't be used: .*\nThe password is wrong or missing/m);
  });
});

test('waits for a database that is away, says so, answers 503 meanwhile, and stops at Ctrl-C', async () => {
  const [https, nobody] = [await freePort(), await freePort()];
  const waiting = start([
    ...['--https-port', String(https), '--mqtts-port', '0'],
    ...['--database', `postgres://srup@127.0.0.1:${nobody}/srup`],
  ]);
  await waiting.until('the server waits for the database postgres://srup@127.0.0.1');
  expect(await statusAt(https)).toBe(503);
  waiting.child.kill('SIGINT');
  expect(await once(waiting.child, 'close')).toEqual([null, 'SIGINT']);
});

test.each([
  [['--database', 'postgres://srup:pass@127.0.0.1/srup'], 'The URL of the database holds a password'],
  [['--database', 'mysql://127.0.0.1/srup'], 'is not the URL of a database'],
  [['--database-password-file', 'x'], '--database-password-file is given without --database'],
  [['--insecure-plain-database'], '--insecure-plain-database is given without --database'],
  [
    ['--database', 'postgres://srup@127.0.0.1/srup', '--database-password-file', '/none'],
    '/none, with the password of the database',
  ],
])('refuses %j', async (args, message) => {
  const { code, stderr } = await runSrup(['up', '--folder', folder, ...ANY_PORTS, ...args]);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain('pass@');
  expect(code).toBe(2);
});
