/** A run with everything that a log could reveal: every line has its form, and none holds a secret. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { expect } from 'vitest';
import { onEachBroker, test } from '../support/fixtures.ts';
import { startSiteOn } from '../support/brokers.ts';
import { launchDevice, TYPE, untilDevice, untilJoined, type Device } from '../support/device.ts';
import { credentialOf, credentialOfServer, intrude, signedBy } from '../support/intruder.ts';
import { keysIn, leaksIn, readLines } from '../support/log-lines.ts';
import { runSrup, startSrup } from '../support/processes.ts';
import { runsPrograms, writeProgram } from '../support/programs.ts';
import { placeServer, type Ground, type Site } from '../support/server.ts';
import { until } from '../support/wait.ts';

const LOUDEST = ['--json-logs', '--log-level', 'debug'];
/** Secrets that somebody sends by mistake, which can be valid elsewhere. */
const WRONG_TOKEN = `srup_${'wrongtoken'.repeat(4)}`;
const WRONG_CODE = 'wrong-enrolment-code-4711';
const IN_QUERY = 'secret-in-a-query-4711';
const IN_BODY = 'secret-in-a-body-4711';
const OF_WITNESS = 'key-of-the-witness-4711';
const IN_DATA = 'what-the-operator-sends-4711';

const LAST_OF_SCREEN = 'Ctrl-C stops it.';
/** Two for each line of each private key, and the others. */
const MANY = 40;

async function send(ground: Ground, site: Site, method: string, path: string, body = ''): Promise<number> {
  const ca = await readFile(join(ground.folder, 'server', 'authority', 'ca.pem'));
  const headers = { authorization: `Bearer ${WRONG_TOKEN}`, 'content-type': 'application/json' };
  const outgoing = request(`${site.url}${path}`, { method, ca, headers, agent: false }).end(body);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  incoming.resume();
  return incoming.statusCode ?? 0;
}

/** Makes calls that fail, each with something that must not be logged. */
async function failCalls(ground: Ground, site: Site): Promise<void> {
  expect(await send(ground, site, 'GET', '/api/v1/devices')).toBe(401);
  expect(await send(ground, site, 'GET', `/nowhere?token=${IN_QUERY}`)).toBe(404);
  expect(await send(ground, site, 'POST', '/api/v1/setup', `{"setupToken":"${IN_BODY}"`)).toBeGreaterThan(
    399,
  );
  expect(await send(ground, site, 'POST', '/KeyEx/register/register', `{"code":"${IN_BODY}`)).toBe(400);
  expect(await send(ground, site, 'POST', '/KeyEx/register/access', `{"signature":"${IN_BODY}"}`)).toBe(400);
}

/** Sends messages that the wrong party signed, to the server and to the device. */
async function forge(ground: Ground, site: Site, device: Device, id: string): Promise<void> {
  const serverId = (await readFile(join(ground.folder, 'server', 'server', 'identity'), 'utf8')).trim();
  const order = { type: 'ACTION', token: 'forged', body: { actionId: 0x40 } } as const;
  const data = { type: 'DATA', token: 'forged', body: { dataId: 'x', data: Buffer.from(IN_DATA) } } as const;
  for (const [stolen, name, bytes] of [
    [await credentialOfServer(ground), serverId, await signedBy(device, serverId, 99n, order)],
    [await credentialOf(device), id, Buffer.from('no message')],
    [await credentialOf(device), id, await signedBy(device, id, 2n ** 60n, data)],
  ] as const) {
    const intruder = await intrude(ground, site, stolen, `SRUP Client: ${name}`);
    await intruder.link.publish(`SRUP/${id}`, bytes);
    await intruder.link.close();
  }
  await until('the server refused', () => site.process.stderr().includes('a message was refused'));
  await until('the device refused', () => device.process.stderr().includes('message refused'));
}

/** All secrets of the run, with their names. */
async function secretsOf(ground: Ground, site: Site): Promise<Map<string, string>> {
  const secrets = new Map([
    [WRONG_TOKEN, 'a token that a stranger sent'],
    [WRONG_CODE, 'a wrong enrolment code'],
    [IN_QUERY, 'the query of a request'],
    [IN_BODY, 'the body of a request'],
    [IN_DATA, 'the content of a message'],
    [OF_WITNESS, 'the key in the URL of a witness'],
  ]);
  for (const [key, name] of await keysIn(ground.folder)) secrets.set(key, name);
  const login = await readFile(join(ground.folder, 'ctl.json'), 'utf8');
  secrets.set(/srup_[\w-]{20,}/.exec(login)![0], "the operator's API token");
  const password = join(ground.folder, 'server', 'server', 'broker-sessions');
  const sessions = await readFile(password, 'utf8').catch(() => 'no password');
  secrets.set(sessions.trim(), 'the password at the broker');
  for (const [kind, args] of [
    ['an API token', ['tokens', 'create', 'other', '--role', 'viewer']],
    ['an enrolment code', ['codes', 'create']],
  ] as const) {
    secrets.set((await site.ask<{ secret: string }>(...args)).secret, kind);
  }
  return secrets;
}

onEachBroker('the logs of a server and its devices', (broker) => {
  test('are lines of JSON of one form, without a secret', async ({ ground }) => {
    const witness = `https://localhost:2/checkpoints?key=${OF_WITNESS}`;
    const site = await startSiteOn(ground, broker, [...LOUDEST, '--witness', witness]);
    await site.ctl('policy', 'set', TYPE, 'accept');
    const { secret: code } = await site.ask<{ secret: string }>('codes', 'create', '--type', TYPE);
    const [first, second] = [await writeProgram(ground, 'v1'), await writeProgram(ground, 'v2')];
    const software = runsPrograms(first);
    const launch = (name: string, enrolmentCode: string): Promise<Device> =>
      launchDevice(ground, site, name, { enrolmentCode, software }, {}, LOUDEST);
    const device = await launch('pump', code);
    const stranger = await launch('stranger', WRONG_CODE);
    const { id } = await untilJoined(site, device);
    expect(await site.ctl('update', id, second.path)).toMatchObject({ code: 0 });
    expect(await site.ctl('data', id, 'mode', IN_DATA)).toMatchObject({ code: 0 });
    await failCalls(ground, site);
    await forge(ground, site, device, id);
    const secrets = await secretsOf(ground, site);
    secrets.set(code, 'the code of the device');
    await until('it is refused', () => stranger.process.stderr().includes('not registered'));
    await stranger.process.stop();
    await untilDevice(site, device, 'on v2', ({ running }) => running?.digest === second.digest);
    for (const { process } of [device, site]) expect(await process.stop()).toBe(0);

    expect(secrets.size).toBeGreaterThan(MANY);
    for (const [{ process }, component] of [
      [site, 'server'],
      [device, 'agent'],
      [stranger, 'agent'],
    ] as const) {
      const { lines, malformed } = readLines(process.stderr(), component);
      expect(malformed).toEqual([]);
      expect(lines.length).toBeGreaterThan(0);
      expect(leaksIn(process.stdout() + process.stderr(), secrets)).toEqual([]);
    }
    for (const { process } of [site, device]) expect(process.stderr()).toContain('"level":"debug"');
  });
});

test('the set-up token is on the screen of the start that made it, and nowhere else', async ({ ground }) => {
  const folder = join(ground.folder, 'server');
  const server = startSrup(['up', '--folder', folder, '--https-port', '0', '--mqtts-port', '0', ...LOUDEST]);
  ground.later(() => server.stop());
  await until('it runs', () => server.stdout().includes(LAST_OF_SCREEN));
  const [, login = '', token = ''] = /srup (ctl login .* --token (\w{40}))/.exec(server.stdout()) ?? [];
  const env = { SRUP_CONFIG: join(ground.folder, 'ctl.json') };
  for (const code of [0, 1]) {
    const again = await runSrup(login.split(' '), env); // which works once
    expect(again, again.stderr).toMatchObject({ code });
  }
  await server.stop();
  const [, ...later] = server.stdout().split(LAST_OF_SCREEN);
  expect(token).toHaveLength(40);
  expect(later.join() + server.stderr()).not.toContain(token);
  expect(server.stderr()).toContain('/api/v1/setup');
});

test('a line of another form and a secret are found', async ({ ground }) => {
  await placeServer(ground);
  const good = '{"level":"info","time":1,"component":"server","msg":"good"}';
  for (const bad of [
    'Warning: text',
    '[]',
    '',
    good.replace('"info"', '30'),
    good.replace('"server"', '"agent"'),
    good.replace('"msg"', '"text"'),
    good.replace('"time":1', '"time":"1"'),
  ])
    expect(readLines(`${good}\n${bad}\n${good}\n`, 'server').malformed).toEqual([bad]);

  const folder = join(ground.folder, 'server');
  const pem = await readFile(join(folder, 'authority', 'ca.key.pem'), 'utf8');
  const line = JSON.stringify({ msg: `the key is ${pem}` });
  expect(leaksIn(line, await keysIn(folder))).toEqual([
    `a private key of ${join(folder, 'authority', 'ca.key.pem')}`,
  ]);
});
