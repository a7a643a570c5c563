import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { killAll, runSrup, startSrup, type Outcome } from '../../test/run-srup.ts';

/** A server that runs: what it printed so far. */
interface Up {
  readonly child: ChildProcess;
  readonly printed: string;
  /** What it wrote to stderr until now. */
  complaints(): string;
  readonly url: string;
  readonly setupToken: string | undefined;
  readonly closed: Promise<number | null>;
}

let root: string;
let folder: string;
let running: ChildProcess[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'srup-up-'));
  folder = join(root, 'server');
  running = [];
});

afterEach(async () => {
  await killAll(running);
  await rm(root, { recursive: true });
});

const ANY_PORTS = ['--https-port', '0', '--mqtts-port', '0'];

async function up(args: readonly string[] = ANY_PORTS): Promise<Up> {
  const child = startSrup(['up', '--folder', folder, ...args], {
    // Not as if npx had started it.
    env: { npm_lifecycle_event: '' },
  });
  running.push(child);
  const closed = once(child, 'close').then(([code]) => code as number | null);
  let printed = '';
  let complaints = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  await new Promise<void>((resolve, reject) => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      if (printed.includes('Ctrl-C stops it.')) resolve();
    });
    child.once('exit', () => {
      reject(new Error(`the server did not start: ${complaints}`));
    });
  });
  const url = /URL +(\S+)/.exec(printed)?.[1] ?? '';
  return {
    child,
    printed,
    complaints: () => complaints,
    url,
    closed,
    setupToken: /--token (\S+)/.exec(printed)?.[1],
  };
}

/** Runs a command that was printed, with logins kept in the test's own folder. */
function paste(command: string): Promise<Outcome> {
  const [program, ...args] = command.trim().split(' ');
  expect(program).toBe('srup');
  return runSrup(args, {
    env: { SRUP_CONFIG: join(root, 'ctl.json') },
  });
}

function printedCommand({ printed }: Up, start: string): string {
  return (
    printed.split('\n').find((line) => line.trim().startsWith(start)) ?? `none that begins with ${start}`
  );
}

async function occupied(): Promise<Server> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe('srup up', () => {
  it('prints commands that work, a set-up token that works once, and stops at SIGTERM', async () => {
    const first = await up();
    const login = await paste(printedCommand(first, 'srup ctl login'));
    expect(login.code).toBe(0);
    expect((await paste('srup ctl devices')).stdout).toContain('No device is known yet');
    expect((await paste(printedCommand(first, 'srup ctl codes create'))).stdout).toMatch(/^\S+\n$/);
    const software = join(root, 'software');
    await writeFile(software, 'new');
    expect((await paste(`srup ctl upload ${software}`)).code).toBe(0);
    expect((await paste('srup ctl artifacts')).stdout).toContain('software');

    first.child.kill('SIGTERM');
    expect(await first.closed).toBe(0);

    const second = await up(['--https-port', new URL(first.url).port, '--mqtts-port', '0']);
    expect(second.printed).toContain('The set-up token was used');
    expect(second.printed).not.toContain(first.setupToken);
    expect((await paste('srup ctl artifacts')).stdout).toContain('software');
    second.child.kill('SIGINT');
    expect(await second.closed).toBe(0);
  });

  it('keeps everything from others, and the set-up token from the disk', async () => {
    const { setupToken, child, closed } = await up();
    child.kill('SIGTERM');
    await closed;
    const files = await readdir(folder, { recursive: true });
    for (const name of ['.', ...files]) {
      const path = join(folder, name);
      const found = await stat(path);
      expect.soft(`${name} ${(found.mode & 0o077).toString(8)}`).toBe(`${name} 0`);
      if (found.isFile()) expect.soft((await readFile(path, 'latin1')).includes(setupToken!)).toBe(false);
    }
  });

  it('names the process that uses the folder', async () => {
    const { child } = await up();
    const { code, stderr } = await runSrup(['up', '--folder', folder, ...ANY_PORTS]);
    expect(code).toBe(2);
    expect(stderr).toContain(`a server already runs in ${folder}: process ${child.pid}`);
  });

  it.each([
    ['--https-port', '--mqtts-port'],
    ['--mqtts-port', '--https-port'],
  ])('says that the port of %s is in use, and which flag chooses another', async (flag, other) => {
    const occupant = await occupied();
    const { port } = occupant.address() as AddressInfo;
    const { code, stderr } = await runSrup(['up', '--folder', folder, flag, String(port), other, '0']);
    occupant.close();
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`^srup: .*${port}`, 'm'));
    expect(stderr).toContain(flag);
    expect(stderr).not.toContain('    at '); // no stack trace
  });

  it('says that a folder can not be used', async () => {
    const file = join(root, 'file');
    await writeFile(file, '');
    const { code, stderr } = await runSrup(['up', '--folder', join(file, 'server'), ...ANY_PORTS]);
    expect(code).toBe(2);
    expect(stderr).toContain(
      `the folder ${join(file, 'server')} can't be used: a part of the path is a file`,
    );
    if (process.platform !== 'linux') return;
    const none = await runSrup(['up', '--folder', '/proc/srup', ...ANY_PORTS]);
    expect(none).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('does not let a folder be made there') as string,
    });
  });

  it('says that the database is of a newer version', async () => {
    await mkdir(join(folder, 'server'), { recursive: true });
    const database = new DatabaseSync(join(folder, 'server', 'fleet.db'));
    database.exec(
      "create table kysely_migration (name text); insert into kysely_migration values ('fleet-999')",
    );
    database.close();
    const { code, stderr } = await runSrup(['up', '--folder', folder, ...ANY_PORTS]);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^srup: The database .* was written by a newer version .*\nStart the newer version/m,
    );
    expect(stderr).not.toContain('unexpected fault');
  });

  it('warns loudly of MQTT without TLS', async () => {
    const server = await up([...ANY_PORTS, '--insecure-plain-mqtt', '--log-level', 'error']);
    expect(server.printed).toContain('mqtt://');
    server.child.kill('SIGTERM');
    expect(await server.closed).toBe(0);
    expect(server.complaints()).toMatch(/^WARNING: mqtt:\S+ is MQTT without TLS/m);
  });

  it('warns of registration without a code, once, and not otherwise', async () => {
    const warning = /^WARNING: .*--open-registration/gm;
    const open = await up([...ANY_PORTS, '--open-registration', '--log-level', 'error']);
    open.child.kill('SIGTERM');
    expect(await open.closed).toBe(0);
    expect(open.complaints().match(warning)).toHaveLength(1);
    const lines = await up([...ANY_PORTS, '--open-registration', '--log-level', 'error', '--json-logs']);
    lines.child.kill('SIGTERM');
    expect(await lines.closed).toBe(0);
    expect(JSON.parse(lines.complaints())).toMatchObject({
      level: 'warn',
      component: 'server',
      msg: expect.stringMatching(warning) as string,
    });
    const safe = await up();
    safe.child.kill('SIGTERM');
    expect(await safe.closed).toBe(0);
    expect(safe.complaints()).not.toMatch(warning);
  });

  it.each([
    [['--listen', '0.0.0.0'], 'no name for this server is given'],
    [['--listen', 'fleet.example'], 'is not an address'],
    [['--https-port', '70000'], '--https-port 70000 is not a port'],
    [['--broker', 'mqtt://broker.example'], 'it must use TLS'],
    [['--broker-ca', 'ca.pem'], '--broker-ca is given without --broker'],
    [['--open-registration', '--enrolment-required'], 'cannot be used with'],
    [['--host', 'under_score'], 'neither a host name nor an IP address'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await runSrup(['up', '--folder', folder, ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});
