/** Our agent, a real process, with a key service and a C2 server that behave like those of pySRUP. */
import { once } from 'node:events';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { AgentConfigInput } from '@srup/agent';
import { startBroker } from '../../packages/node/test/broker.ts';
import { makeCa, type TestCa } from '../../packages/node/test/certificates.ts';
import { test } from '../support/fixtures.ts';
import { runSrup, startSrup, type Srup } from '../support/processes.ts';
import { runsPrograms, writeProgram } from '../support/programs.ts';
import type { Ground } from '../support/server.ts';
import { until } from '../support/wait.ts';
import { enrolServer, getKey, getType, httpTrusting, makeKeys } from './reference/key-exchange.ts';
import { startReferenceKeyService, type ReferenceKeyService } from './reference/key-service.ts';
import { overTls } from './reference/mqtt.ts';
import { startReferenceServer, type ReferenceServer, type ServerNews } from './reference/server.ts';

const SERVER = 'b9d077e223834cf6';
let ca: TestCa;
let service: ReferenceKeyService;
let server: ReferenceServer;

test.beforeEach(async ({ ground }) => {
  ca = await makeCa();
  const broker = await startBroker(ca);
  ground.later(() => broker.close());
  const { certPem, key } = await ca.issue({ commonName: 'key service', hosts: ['localhost'] });
  service = await startReferenceKeyService({
    tls: { key: key.reveal(), certificate: `${certPem}\n${ca.pem}` },
    broker: `mqtt://localhost:${broker.port}`,
    c2: SERVER,
    keys: makeKeys(),
    ca,
  });
  ground.later(() => service.close());
  const http = httpTrusting(ca.pem);
  const keys = makeKeys();
  const issued = await broker.issue(SERVER);
  const tls = { key: issued.key.reveal(), certificate: issued.certPem, ca: ca.pem };
  server = await startReferenceServer(
    { id: SERVER, keys },
    {
      openLink: overTls('mqtt://localhost', tls, broker.port),
      getKey: (id) => getKey(http, service.url, id),
      getType: (id) => getType(http, service.url, id),
      register: () => enrolServer(http, service.url, { id: SERVER, keys, token: 'token' }),
    },
  );
  ground.later(() => server.close());
});

/** Files of the operator of that server. */
async function serveFiles(ground: Ground, files: Readonly<Record<string, string>>): Promise<string> {
  const { certPem, key } = await ca.issue({ commonName: 'files', hosts: ['localhost'] });
  const https = createServer({ key: key.reveal(), cert: certPem }, ({ url = '' }, response) => {
    const file = files[url.slice(1)];
    if (file === undefined) response.writeHead(404).end();
    else response.end(file);
  });
  https.listen(0, '127.0.0.1');
  await once(https, 'listening');
  ground.later(() => {
    https.closeAllConnections();
    https.close();
  });
  return `https://localhost:${(https.address() as AddressInfo).port}`;
}

interface Agent {
  readonly home: string;
  process: Srup;
  start(): void;
}

async function startAgent(ground: Ground, config: Partial<AgentConfigInput>): Promise<Agent> {
  const home = join(ground.folder, 'agent');
  await mkdir(home, { mode: 0o700 });
  const whole: AgentConfigInput = {
    ...{ url: service.url, caFingerprint: ca.fingerprint, type: 'pump' },
    health: { aliveSeconds: 0.2, deadlineSeconds: 10 },
    ...config,
  };
  await writeFile(join(home, 'agent.json'), JSON.stringify(whole), { mode: 0o600 });
  const start = (): Srup => startSrup(['agent', '--home', home]);
  const agent: Agent = {
    home,
    process: start(),
    start: () => {
      agent.process = start();
    },
  };
  ground.later(() => agent.process.stop());
  return agent;
}

const told = (what: ServerNews['told']) => server.news.filter((one) => one.told === what);
const statusesOf = (token: string) =>
  server.news.flatMap((one) => (one.told === 'response' && one.token === token ? [one.status] : []));

const countData = (dataId: string): number =>
  server.news.filter((one) => one.told === 'data' && one.dataId === dataId).length;

async function untilData(dataId: string, text?: string): Promise<string> {
  return until(`DATA ${dataId}`, () => {
    const found = server.news.findLast((one) => one.told === 'data' && one.dataId === dataId);
    const said = found?.told === 'data' ? found.data.toString() : undefined;
    return text === undefined || said === text ? said : undefined;
  });
}

test('enrols, joins, is updated and commanded, talks, leaves and comes back', async ({ ground }) => {
  const listens = `process.stdin.on('data', (line) => console.log('heard=it is ' + JSON.parse(line).number));`;
  const [first, second] = [await writeProgram(ground, 'v1'), await writeProgram(ground, 'v2', listens)];
  const files = await serveFiles(ground, { 'v2.mjs': await readFile(second.path, 'utf8') });
  const agent = await startAgent(ground, {
    referenceServer: true,
    software: runsPrograms(first),
    fetch: { trust: 'pinned' },
    data: { stdin: true },
  });
  const joined = await until('it joins', () => {
    if (agent.process.child.exitCode !== null) throw new Error(agent.process.stderr());
    return server.news.find((one) => one.told === 'join');
  });
  const { device } = joined;
  expect(agent.process.stderr()).toMatch(/A REFERENCE SERVER IS TAKEN/);

  server.idRequest(device);
  expect(await untilData('IDENTIFICATION_RESPONSE')).toMatch(/^srup-agent\//);

  const token = server.initiate(device, `${files}/v2.mjs`, second.digest);
  await until('it confirms', () => statusesOf(token).length === 2);
  expect(statusesOf(token)).toEqual([0x00, 0x10]);
  await untilData('version', 'v2');
  server.activate(device, token); // as pySRUP's recorded server does
  await until('it says it again', () => statusesOf(token).length === 3);
  expect(statusesOf(token)).toEqual([0x00, 0x10, 0x10]);

  const wrong = server.initiate(device, `${files}/v2.mjs`, '0'.repeat(64));
  await until('it refuses other bytes', () => statusesOf(wrong).length === 1);
  const missing = server.initiate(device, `${files}/none`, '0'.repeat(64));
  await until('it finds nothing', () => statusesOf(missing).length === 1);
  expect([...statusesOf(wrong), ...statusesOf(missing)]).toEqual([0xff, 0xfe]);

  // In order, as pySRUP drops an answer that crosses a command.
  for (const [action, status] of [
    [0x05, 0x20],
    [0xff, 0x2e],
  ] as const) {
    const asked = server.action(device, action);
    await until('it answers', () => statusesOf(asked).length === 1);
    expect(statusesOf(asked)).toEqual([status]);
  }
  server.data(device, 'Delay', Buffer.from('000000000000f83f', 'hex'));
  await untilData('heard', 'it is 1.5');

  await agent.process.stop();
  const runs = countData('version');
  agent.start();
  await until('its program runs again', () => countData('version') > runs);
  server.idRequest(device);
  await until('it is back', () => countData('IDENTIFICATION_RESPONSE') === 2);
  expect(told('join')).toHaveLength(1);

  const { code } = await runSrup(['agent', 'resign', '--home', agent.home]);
  expect(code).toBe(0);
  await until('it resigned', () => told('resigned').length === 1);
  await runSrup(['agent', 'join', '--home', agent.home]);
  await until('it joins again', () => told('join').length === 2);
  await until('it is in', async () => {
    const { stdout } = await runSrup(['agent', 'status', '--home', agent.home, '--json']);
    return (JSON.parse(stdout) as { phase: string }).phase === 'joined';
  });
  await runSrup(['agent', 'deregister', '--yes', '--home', agent.home]);
  await until('it deregistered', () => told('deregistered').length === 1);
  await until('its identity is gone', () =>
    access(join(agent.home, 'identity.json')).then(
      () => false,
      () => true,
    ),
  );

  await server.idle(); // pySRUP's thread would have ended by a second goodbye
  expect(server.dropped.filter(({ why }) => why !== 'sequence')).toEqual([]);
  const reserved = server.news.filter((one) => one.told === 'data' && one.dataId.startsWith('srup.'));
  expect(reserved).toEqual([]); // P 10.6
});

test('a registration whose answer was lost is started again', async ({ ground }) => {
  service.loseNext('register');
  await startAgent(ground, { referenceServer: true });
  await until('it joins', () => told('join').length === 1);
  const registrations = service.calls.filter(({ path }) => path.endsWith('/register/register'));
  expect(registrations.map(({ status }) => status)).toEqual([201, 400, 201]);
});

test('is refused by an agent without --reference-server', async ({ ground }) => {
  const agent = await startAgent(ground, { suite: 'rsa-sha256' });
  await until('it says what it takes', () => agent.process.stderr().includes('--reference-server'));
  expect(told('join')).toEqual([]);
});
