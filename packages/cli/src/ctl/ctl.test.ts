import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Readable } from 'node:stream';
import { playedDevice } from '../../test/played-fleet.ts';
import { SETUP_TOKEN, startPlayedServer, type PlayedServer } from '../../test/played-server.ts';
import { runSrup, startSrup, type Outcome, type RunOptions } from '../../test/run-srup.ts';

const PUMP = 'b9d0c0ffee15600d';
const CAMERA = 'b9d0c0ffee15600e';
const SENSOR = 'd41f000000000001';
const HOSTILE = 'c41f000000000001';

let server: PlayedServer;
let folder: string;
let env: Record<string, string>;
let software: string;

beforeAll(async () => {
  server = await startPlayedServer();
});

afterAll(async () => {
  await server.close();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-ctl-'));
  software = join(folder, 'v2.mjs');
  await writeFile(software, `// ${randomBytes(8).toString('hex')}\n`);
  env = {
    npm_lifecycle_event: '', // not as if npx had started it
    SRUP_URL: server.url,
    SRUP_TOKEN: await server.token('admin'),
    SRUP_CA: server.caFile,
    SRUP_CONFIG: join(folder, 'conf', 'ctl.json'),
  };
  server.devices.clear();
  server.devices.set(PUMP, playedDevice(PUMP, { name: 'pump-7' }));
  server.devices.set(CAMERA, playedDevice(CAMERA, { type: 'camera' }));
  server.devices.set(SENSOR, playedDevice(SENSOR, { standing: 'pending', type: 'sensor' }));
  server.unsendable.clear();
  server.commands.length = 0;
  server.script = (_device, kind) => (kind === 'update' ? ['staged', 'activating', 'active'] : ['done']);
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

function ctl(args: string, options: RunOptions = {}): Promise<Outcome> {
  return runSrup(['ctl', ...args.split(' ')], { ...options, env: { ...env, ...options.env } });
}

async function ctlJson(args: string): Promise<unknown> {
  const { stdout, stderr, code } = await ctl(`${args} --json`);
  if (stdout === '') throw new Error(`nothing on stdout, exit code ${code}: ${stderr}`);
  return JSON.parse(stdout);
}

/** Line by line, as they come. */
function linesOf(stream: Readable | null): AsyncIterator<string, undefined> {
  return createInterface({ input: stream as Readable })[Symbol.asyncIterator]();
}

async function nextLine(lines: AsyncIterator<string, undefined>): Promise<string> {
  const { value, done } = await lines.next();
  if (done === true) throw new Error('the output ended');
  return value;
}

describe('logging in', () => {
  beforeEach(() => {
    const { SRUP_URL: _url, SRUP_TOKEN: _token, SRUP_CA: _ca, ...rest } = env;
    env = rest;
  });

  it('says how to log in without a login', async () => {
    const { code, stderr, stdout } = await ctl('devices');
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^srup: you are not logged in\nLog in first: srup ctl login --url .+\n$/);
  });

  it('exchanges the set-up token only when the login can be kept, pins the CA by its fingerprint and keeps the login for its owner alone', async () => {
    const unkept = await ctl(
      `login --url ${server.url} --ca-fingerprint ${server.caFingerprint} --token ${SETUP_TOKEN}`,
      { env: { SRUP_CONFIG: join(software, 'below-a-file', 'ctl.json') } },
    );
    expect(unkept.code).toBe(2);
    expect(unkept.stderr).toContain("can't be read");

    const login = await ctl(
      `login --url ${server.url} --ca-fingerprint ${server.caFingerprint} --token - --name me`,
      {
        input: `${SETUP_TOKEN}\n`,
      },
    );
    expect(login.stderr).toContain('Next: ');
    expect(login.code).toBe(0);
    expect(login.stdout).toContain('as "me" (admin)');
    expect((await stat(env['SRUP_CONFIG']!)).mode & 0o777).toBe(0o600);
    const devices = await ctl('devices');
    expect(devices.code).toBe(0);
    expect(devices.stdout).toContain('pump-7');

    const again = await ctl(
      `login --url ${server.url} --ca ${server.caFile} --token ${SETUP_TOKEN} --profile b`,
    );
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('this set-up token is wrong or was used');

    expect((await ctl('logout')).code).toBe(2); // nobody to ask
    expect((await ctl('logout --yes')).code).toBe(0);
    expect((await ctl('devices')).code).toBe(2);
    expect(await readFile(env['SRUP_CONFIG']!, 'utf8')).not.toContain('srup_');
  });

  it('refuses a server whose CA has another fingerprint, and shows what was seen', async () => {
    const { code, stderr } = await ctl(
      `login --url ${server.url} --ca-fingerprint ${'0'.repeat(64)} --token x`,
    );
    expect(code).toBe(3);
    expect(stderr).toContain('is not the server with this fingerprint');
    expect(stderr).toContain(server.caFingerprint);
  });

  it('never sends the token of one server to another', async () => {
    const token = await server.token('viewer');
    await ctl(`login --url ${server.url} --ca ${server.caFile} --token ${token}`);
    const { code, stderr } = await ctl('devices', { env: { SRUP_URL: 'https://other.example:8443' } });
    expect(code).toBe(2);
    expect(stderr).toContain('you are not logged in at https://other.example:8443');
  });

  it.each([
    ['http://localhost:8443', 'is not the address of a server'],
    ['localhost:8443', 'is not the address of a server'],
    ['https://localhost:8443/api', 'is not the address of a server'],
  ])('does not take %s for an address', async (url, message) => {
    const { code, stderr } = await ctl(`login --url ${url} --token x`);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});

describe('trouble with the server', () => {
  it('says that no program listens', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address() as AddressInfo;
    free.close();
    await once(free, 'close');
    const { code, stderr } = await ctl('devices', { env: { SRUP_URL: `https://localhost:${port}` } });
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /^srup: https:\/\/localhost:\d+ can't be reached: no program listens there\nCheck that the server runs/,
    );
  });

  it('trusts no certificate of another CA', async () => {
    Reflect.deleteProperty(env, 'SRUP_CA');
    const { code, stderr } = await ctl('devices');
    expect(code).toBe(3);
    expect(stderr).toContain('not from the CA you trust');
  });

  it('says that it is not HTTPS', async () => {
    const plain = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n')).listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const { port } = plain.address() as AddressInfo;
    const { code, stderr } = await ctl('devices', { env: { SRUP_URL: `https://localhost:${port}` } });
    plain.close();
    expect(code).toBe(3);
    expect(stderr).toMatch(/does not speak HTTPS \(TLS: [\w ]+\)\n/);
  });

  it('says that the token is unknown, and that a role is missing', async () => {
    const unknown = await ctl('devices', { env: { SRUP_TOKEN: `srup_${'x'.repeat(43)}` } });
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('does not know this API token');
    const viewer = await ctl('tokens', { env: { SRUP_TOKEN: await server.token('viewer') } });
    expect(viewer.code).toBe(1);
    expect(viewer.stderr).toContain('this needs the role admin');
  });
});

describe('naming a device', () => {
  it('takes an id, a name, or the beginning of an id that only one device has', async () => {
    for (const name of [PUMP, PUMP.toUpperCase(), 'pump-7', 'd41f']) {
      expect(await ctlJson(`device ${name}`)).toMatchObject({ id: name === 'd41f' ? SENSOR : PUMP });
    }
  });

  it('means the present device when a deregistered one had the same name', async () => {
    server.devices.set(HOSTILE, playedDevice(HOSTILE, { name: 'pump-7', standing: 'deregistered' }));
    expect(await ctlJson('device pump-7')).toMatchObject({ id: PUMP });
    expect(await ctlJson(`device ${HOSTILE}`)).toMatchObject({ standing: 'deregistered' });
  });

  it('lists the candidates of an ambiguous one', async () => {
    const { code, stderr } = await ctl('device b9d0');
    expect(code).toBe(2);
    expect(stderr).toContain(`"b9d0" can mean several devices: pump-7 (${PUMP}), ${CAMERA}`);
  });

  it('refuses a beginning that is too short, and a part of a name', async () => {
    for (const name of ['d41', 'pump']) {
      const { code, stderr } = await ctl(`device ${name}`);
      expect(code).toBe(2);
      expect(stderr).toContain(`no device has the name or id "${name}"\nSimilar ones: `);
    }
  });

  it('shows no control character of a device on the terminal, and all of its text in JSON', async () => {
    const name = 'x\u001b[2J\u202e\u009b31m';
    server.devices.set(HOSTILE, playedDevice(HOSTILE, { name, identification: 'a\nroot# ' }));
    const { stdout } = await ctl(`device ${HOSTILE}`);
    expect(stdout).toContain('x\\u{1b}[2J\\u{202e}\\u{9b}31m');
    const json = await ctl(`device ${HOSTILE} --json`);
    // eslint-disable-next-line no-control-regex -- that there is none is the point
    expect(stdout + json.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(JSON.parse(json.stdout)).toMatchObject({ name, identification: 'a\nroot# ' });
  });
});

describe('updating', () => {
  it('uploads the file once, waits for every device and reports what each has proven', async () => {
    const digest = createHash('sha256')
      .update(await readFile(software))
      .digest('hex');
    const first = await ctl(`update pump-7 ${CAMERA} ${software} --version 2.0.0`);
    expect(first.stderr).toContain(`Uploaded v2.mjs`);
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(new RegExp(`pump-7 \\(${PUMP}\\) +active`));
    expect(first.stdout).toContain('2 active');
    expect(server.commands).toEqual([
      {
        devices: [PUMP, CAMERA],
        command: expect.objectContaining({ kind: 'update', digest, activateAtOnce: true }) as unknown,
      },
    ]);
    expect((await ctl(`update pump-7 ${software}`)).stderr).not.toContain('Uploaded');
    expect((await ctl(`update pump-7 ${digest.slice(0, 12)}`)).code).toBe(0);
    expect(await ctlJson('artifacts')).toContainEqual(
      expect.objectContaining({ digest, name: 'v2.mjs', version: '2.0.0' }),
    );
  });

  it('ends with 1 when one device reverts, fails, or could not be sent to', async () => {
    server.script = (device) =>
      device === CAMERA ? ['staged', 'activating', 'reverted'] : ['staged', 'activating', 'active'];
    server.unsendable.set(SENSOR, 'the device has not joined');
    const { code, stdout } = await ctl(`update pump-7 ${CAMERA} ${SENSOR} ${software}`);
    expect(code).toBe(1);
    expect(stdout).toContain('the device has not joined');
    expect(stdout).toContain('1 active, 1 reverted, 1 not sent');
    const json = (await ctlJson(`update pump-7 ${CAMERA} ${software}`)) as unknown[];
    expect(json).toEqual([
      expect.objectContaining({ device: PUMP, ok: true, phase: 'active' }),
      expect.objectContaining({ device: CAMERA, ok: false, phase: 'reverted' }),
    ]);
  });

  it('stages, and activates later', async () => {
    server.script = () => ['staged'];
    expect((await ctl(`update --type demo ${software} --stage-only`)).stdout).toContain('staged');
    const { code, stdout } = await ctl('activate pump-7');
    expect(code).toBe(0);
    expect(stdout).toContain('active');
    const none = await ctl('activate pump-7');
    expect(none.code).toBe(2);
    expect(none.stderr).toContain('pump-7 has no update that is staged');
  });

  it('cancels', async () => {
    server.script = () => ['staged'];
    await ctl(`update pump-7 ${software} --stage-only`);
    expect((await ctl('cancel pump-7')).stdout).toContain('cancelled');
  });

  it('waits no longer than its limit, and reports what is known', async () => {
    server.script = (device) => (device === CAMERA ? ['staged'] : ['active']);
    const { code, stdout, stderr } = await ctl(`update pump-7 ${CAMERA} ${software} --limit 1s`);
    expect(code).toBe(1);
    expect(stderr).toContain('1 of 2 have not answered yet');
    expect(stdout).toContain('1 active, 1 staged');
  });

  it('does not miss what happens while the connection is broken', async () => {
    server.script = () => [];
    const child = startSrup(['ctl', 'update', 'pump-7', software], { env });
    const closed = once(child, 'close') as Promise<[number]>;
    const err = linesOf(child.stderr);
    expect(await nextLine(err)).toContain('Uploaded');
    await server.opened(PUMP, 'update');
    await server.breakDown();
    expect(await nextLine(err)).toContain('Disconnected');
    server.advance(server.advance(server.find(PUMP, 'update'), 'activating'), 'active');
    await server.mend();
    expect(await nextLine(err)).toContain('Connected again.');
    expect((await closed)[0]).toBe(0);
  });

  it('stops waiting at Ctrl-C and says that the update goes on', async () => {
    server.script = () => ['staged'];
    const child = startSrup(['ctl', 'update', 'pump-7', software], { env });
    const closed = once(child, 'close') as Promise<[number]>;
    const err = linesOf(child.stderr);
    expect(await nextLine(err)).toContain('Uploaded');
    await server.opened(PUMP, 'update');
    child.kill('SIGINT');
    expect(await nextLine(err)).toContain('the wait was stopped; what was sent stays sent');
    expect((await closed)[0]).toBe(130);
  });

  it.each([
    ['update v2.mjs', '"v2.mjs" is read as the file, so no device is named'],
    ['update --all --type demo v2.mjs', 'devices are chosen in more than one way'],
    [
      'update pump-7 no-such-file',
      '"no-such-file" is neither a file here nor the digest of a stored artifact',
    ],
    [`update pump-7 ${tmpdir()}`, 'is a folder'],
    ['update --all v2.mjs --limit soon', '"soon" is not a length of time'],
    ['update --all', "missing required argument 'FILE|DIGEST'"],
    ['join maybe pump-7', "'maybe' is not a valid verdict. Allowed choices are accept"],
  ])('says what is wrong with: %s', async (args, message) => {
    const { code, stderr } = await ctl(args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(server.commands).toEqual([]);
  });
});

describe('commanding', () => {
  it('sends actions by name and by id', async () => {
    expect((await ctl('action pump-7 self-test --wait')).code).toBe(0);
    expect((await ctl('action --all 4f')).stdout).toContain('2 sent');
    expect(server.commands.map(({ command }) => command)).toEqual([
      { kind: 'action', actionId: 5 },
      { kind: 'action', actionId: 0x4f },
    ]);
  });

  it('ends with 1 when the device does not know the action', async () => {
    server.script = () => ['unknown'];
    expect((await ctl('action pump-7 40 --wait')).code).toBe(1);
  });

  it('sends data in each form', async () => {
    for (const args of ['a hello', 'b -5', 'c 21.5', 'd 00FF']) {
      const form = { a: 'text', b: 'int32', c: 'double', d: 'hex' }[args.charAt(0)] as string;
      expect((await ctl(`data pump-7 --as ${form} -- ${args}`)).code).toBe(0);
    }
    const sent = server.commands.map(
      ({ command }) => command as unknown as { dataId: string; data: Uint8Array },
    );
    expect(sent.map(({ dataId, data }) => `${dataId} ${Buffer.from(data).toString('hex')}`)).toEqual([
      `a ${Buffer.from('hello').toString('hex')}`,
      'b fbffffff',
      'c 0000000000803540',
      'd 00ff',
    ]);
    const { code, stderr } = await ctl('data pump-7 n 99999999999 --as int32');
    expect(code).toBe(2);
    expect(stderr).toContain('is not an int32');
  });

  it.each([
    ['deregister pump-7', 'will lose its identity for good'],
    ['terminate pump-7', 'will leave'],
    ['action pump-7 self-destruct', 'Self-destruct deletes the identity and the software'],
  ])('does not %s without a confirmation', async (args, message) => {
    const asked = await ctl(args);
    expect(asked.code).toBe(2);
    expect(asked.stderr).toContain(message);
    expect(server.commands).toEqual([]);
    expect((await ctl(`${args} --yes`)).code).toBe(0);
    expect(server.commands).toHaveLength(1);
  });
});

describe('admitting devices', () => {
  it('lists and decides pending joins', async () => {
    server.open(SENSOR, 'join', 'pending');
    expect((await ctl('joins')).stdout).toMatch(new RegExp(`${SENSOR} +- +sensor`));
    expect((await ctl(`join accept ${SENSOR}`)).stdout).toContain('accepted');
    const again = await ctl(`join accept ${SENSOR}`);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('does not wait to join');
    expect((await ctl('joins')).stdout).toBe('No device waits to join.\n');
  });

  it('keeps the join policy', async () => {
    await ctl('policy set camera accept');
    expect(await ctlJson('policy')).toEqual({ '*': 'ask', camera: 'accept' });
    await ctl('policy unset camera');
    expect(await ctlJson('policy')).toEqual({ '*': 'ask' });
    expect((await ctl('policy set camera maybe')).code).toBe(2);
  });

  it('makes and revokes API tokens and enrolment codes', async () => {
    const { stdout } = await ctl('tokens create ci --role viewer --expires-in 90d');
    expect((await ctl('devices', { env: { SRUP_TOKEN: stdout.trim() } })).code).toBe(0);
    expect((await ctl('tokens delete ci --yes')).code).toBe(0);
    expect((await ctl('devices', { env: { SRUP_TOKEN: stdout.trim() } })).code).toBe(1);

    expect(await ctl('codes delete zzz')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/no such code\nList what exists: .* codes/) as string,
    });

    const { code } = (await ctlJson('codes create --type cam --uses 3 --expires-in 1d')) as {
      code: { id: string };
    };
    expect(await ctlJson('codes')).toEqual([expect.objectContaining({ type: 'cam', usesLeft: 3 })]);
    expect((await ctl(`codes delete ${code.id}`)).code).toBe(0);
    expect(await ctlJson('codes')).toEqual([]);
    expect((await ctl('registration close')).stdout).toContain('closed');
    expect(await ctlJson('registration open')).toEqual({ open: true });
  });
});

describe('watching', () => {
  it('prints one event a line as JSON, also after the connection broke', async () => {
    const child = startSrup(['ctl', 'watch', '--json', '--device', 'pump-7'], { env });
    const closed = once(child, 'close') as Promise<[number]>;
    const out = linesOf(child.stdout);
    const err = linesOf(child.stderr);
    const temperature = (value: string) => {
      const data = { at: 1, device: PUMP, dataId: 'temperature', hex: '', value, kind: 'text' } as const;
      server.tell({ kind: 'data', data: { ...data, device: CAMERA } });
      server.tell({ kind: 'data', data });
    };
    await server.watchers(1);
    temperature('21.5');
    expect(JSON.parse(await nextLine(out))).toMatchObject({
      kind: 'data',
      data: { device: PUMP, value: '21.5' },
    });
    await server.breakDown();
    expect(await nextLine(err)).toContain('Disconnected');
    await server.mend();
    expect(await nextLine(err)).toContain('Connected again.');
    await server.watchers(1);
    temperature('22.5');
    expect(JSON.parse(await nextLine(out))).toMatchObject({ data: { value: '22.5' } });
    child.kill('SIGINT');
    expect((await closed)[0]).toBe(0);
  });
});
