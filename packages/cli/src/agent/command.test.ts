import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeWorld, type World } from '../../../agent/test/world.ts';
import { until } from '@srup/node/testing';
import { runSrup, startSrup, type Outcome } from '../../test/run-srup.ts';

/** Each command is a process of its own. */
const SLOW = { timeout: 90_000 };

let home: string;
let world: World | undefined;
let child: ChildProcess | undefined;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'srup-cli-'));
});
afterEach(async () => {
  // Not SIGKILL: the agent must have the chance to stop its program.
  if (child?.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await world?.close();
  world = undefined;
  await rm(home, { recursive: true, force: true });
});

const agent = (...args: string[]): Promise<Outcome> => runSrup(['agent', ...args, '--home', home]);

async function stored(): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(home, 'agent.json'), 'utf8')) as Record<string, unknown>;
}

test.each<[string, string[], RegExp]>([
  ['nothing known yet', [], /no agent in .* yet\n.*--url/],
  [
    'a bad fingerprint',
    ['--url', 'https://x', '--type', 'a', '--ca-fingerprint', '12'],
    /caFingerprint: .*64 hex digits/,
  ],
  [
    'a program that is not there',
    ['--url', 'https://x', '--type', 'a', '--program', '/no/such'],
    /no\/such \(--program\)/,
  ],
  ['an unknown suite', ['--suite', 'rot13'], /rot13/],
  ['plain http', ['--url', 'http://localhost:1', '--type', 'a'], /not an https address[^]*HTTPS only/],
  [
    'health seconds that are no number',
    ['--url', 'https://x', '--type', 'a', '--health-alive', 'soon'],
    /health/,
  ],
])('%s: said in words, with exit code 2', async (_what, args, words) => {
  const { code, stderr } = await agent(...args);
  expect(stderr).toMatch(words);
  expect(stderr).not.toContain(' at ');
  expect(code).toBe(2);
});

test('help shows examples and exit codes', async () => {
  const { code, stdout } = await runSrup(['agent', '--help']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/Examples:[^]*Exit codes:/);
});

test('a broken configuration file is named', async () => {
  await writeFile(join(home, 'agent.json'), '{');
  expect(await agent()).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('agent.json is not JSON') as string,
  });
});

test('a misspelt name in the configuration file is reported as that, with where the right ones are', async () => {
  await writeFile(join(home, 'agent.json'), '{"url":"https://x","type":"a","sofware":{}}');
  expect(await agent()).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/sofware: there is no such key\n.*docs\/operation\.md/) as string,
  });
});

test('a deferral is refused in a folder without an agent', async () => {
  expect(await agent('defer', '2h')).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(/there is no agent in .*\n.*--home/) as string,
  });
  expect(await readdir(home)).toEqual([]);
});

test('a configuration file that exists and can not be read is not mistaken for a broken one', async () => {
  await mkdir(join(home, 'agent.json')); // root can read every file, but not a folder
  expect(await agent()).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/agent\.json can't be read: EISDIR[^]*user that runs the agent/) as string,
  });
});

test('status where no agent ever was, and commands where none runs', SLOW, async () => {
  const status = await agent('status', '--json');
  expect(JSON.parse(status.stdout)).toEqual({ running: false, phase: 'enrolling' });
  expect((await agent('status')).stdout).toMatch(/does not run[^]*not registered yet/);
  for (const what of ['join', 'resign', 'deregister']) {
    expect(await agent(what)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no agent runs') as string,
    });
  }
});

test(
  'a device lives: first start, status, a second refused, stop, later start from its file, deregistered',
  SLOW,
  async () => {
    world = await makeWorld();
    const program = join(home, 'program.mjs');
    await writeFile(program, 'setInterval(() => undefined, 1000);');
    child = startSrup([
      ...[
        'agent',
        '--home',
        home,
        '--url',
        world.service.url,
        '--ca-fingerprint',
        world.broker.ca.fingerprint,
      ],
      ...['--type', 'demo', '--program', program, '--run', `${process.execPath} {path}`],
      ...['--enrolment-code', 'sesame', '--json-logs'],
    ]);
    let log = '';
    child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const id = await world.meet();
    await world.c2.accept();
    await until('it says joined', () => log.includes('"phase":"joined"'));
    const status = JSON.parse((await agent('status', '--json')).stdout) as object;
    expect(status).toMatchObject({
      running: true,
      id,
      phase: 'joined',
      connected: true,
      software: { program: 'running' },
    });
    expect((await agent('status')).stdout).toMatch(/standing +joined/);

    // The code was sent, used, and is neither in the file nor in the log.
    expect(world.service.requests.find(({ call }) => call === 'POST register')?.body['code']).toBe('sesame');
    expect(await stored()).toEqual({
      ...{ url: world.service.url, caFingerprint: world.broker.ca.fingerprint, type: 'demo' },
      software: { factory: program, command: [process.execPath, '{path}'] },
    });
    expect((await stat(join(home, 'agent.json'))).mode & 0o777).toBe(0o600);
    expect(log).not.toContain('sesame');

    expect(await agent()).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`process ${child.pid}`) as string,
    });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect((await agent('defer', '1h', '--reason', 'trade fair')).code).toBe(0);
    const { stdout } = await agent('status');
    expect(stdout).toMatch(new RegExp(`does not run[^]*${id}[^]*joined`));
    expect(stdout).toMatch(/^standing {2}joined$[^]*^updates {3}deferred, ends in 59 min: trade fair$/m);
    expect((await agent('defer', 'off')).code).toBe(0);

    // What it came with is in its slot: the file itself, perhaps in somebody's home, need not be there any more.
    await rm(program);
    child = startSrup(['agent', '--home', home, '--program', program]);
    await until('it is back', () => world!.broker.clients().includes(id));
    expect(JSON.parse((await agent('status', '--json')).stdout)).toMatchObject({
      software: { program: 'running' },
    });
    expect(await agent('deregister')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--yes') as string,
    });
    expect((await agent('deregister', '--yes')).code).toBe(0);
    const asked = await world.c2.hear('DEREGISTER_REQ');
    await world.c2.say('RESPONSE', { status: 0x80 }, { token: asked.token });
    await until('it has left the broker', () => !world!.broker.clients().includes(id));
    await expect
      .poll(async () => (await agent('status')).stdout, { timeout: 5000 })
      .toContain('not registered');
  },
);

test('a wrong fingerprint ends the agent with both fingerprints and advice', async () => {
  world = await makeWorld();
  const wrong = 'ab'.repeat(32);
  const { code, stderr } = await agent(
    '--url',
    world.service.url,
    '--ca-fingerprint',
    wrong,
    '--type',
    'demo',
  );
  expect(stderr).toContain(wrong);
  expect(stderr).toContain(world.broker.ca.fingerprint);
  expect(stderr).toContain('do not go on');
  expect(code).toBe(2);
});

test('later options change the file: one way to trust takes the place of the other', async () => {
  const pem = join(home, 'ca.pem');
  await writeFile(pem, 'none');
  await writeFile(
    join(home, 'agent.json'),
    JSON.stringify({
      url: 'http://localhost:1',
      type: 'a',
      caFingerprint: 'ab'.repeat(32),
      health: { aliveSeconds: 9 },
    }),
  );
  // An address of another machine: the agent says so, and ends.
  const health = ['--health-url', 'http://192.0.2.1/'];
  expect((await agent('--ca-file', pem, ...health, '--allow-action', '03', '09')).code).toBe(2);
  expect(await stored()).toEqual({
    ...{ url: 'http://localhost:1', type: 'a', caFile: pem },
    health: { aliveSeconds: 9, url: 'http://192.0.2.1/' },
    actions: { allow: ['03', '09'] },
  });
});
