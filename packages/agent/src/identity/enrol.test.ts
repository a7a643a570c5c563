import { X509Certificate } from 'node:crypto';
import { access, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { generateKeys, systemClock, systemRandom, type KeySet } from '@srup/node';
import { until } from '@srup/node/testing';
import type { Clock } from '@srup/protocol';
import { makeCa, type TestCa } from '../../../node/test/certificates.ts';
import { startKeyService, type TestKeyService, type TestReply } from '../../test/key-service.ts';
import { makeLog } from '../../test/log.ts';
import { parseConfig, type AgentConfigInput } from '../config/config.ts';
import { homeAt, type Home } from '../ground/home.ts';
import type { Credentials } from '../vault/identity.ts';
import { enrol } from './enrol.ts';
import { isRenewalDue } from './renew.ts';

const SERVER = 'b9d077e223834cf6';

let ca: TestCa;
let serverKeys: Map<string, KeySet>;
let folder: string;
let home: Home;
let service: TestKeyService;
let log: ReturnType<typeof makeLog>;

beforeAll(async () => {
  ca = await makeCa();
  const suites = ['ed25519', 'rsa-sha256', 'ml-dsa-65'] as const;
  serverKeys = new Map(
    await Promise.all(suites.map(async (suite) => [suite, await generateKeys(suite)] as const)),
  );
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-enrol-'));
  home = homeAt(folder);
  log = makeLog();
  service = await start();
});
afterEach(async () => {
  await service.close();
  await rm(folder, { recursive: true, force: true });
});

function start(options: { port?: number; notBefore?: number } = {}): Promise<TestKeyService> {
  const serverPem = (suite: string) => serverKeys.get(suite)!.signing.publicPem;
  return startKeyService({ ca, broker: 'mqtts://localhost:8883', server: SERVER, serverPem, ...options });
}

function run(
  input: Partial<AgentConfigInput> = {},
  clock: Clock = systemClock,
  signal = new AbortController().signal,
): Promise<Credentials> {
  const trust = input.caFile === undefined ? { caFingerprint: ca.fingerprint } : {};
  const config = parseConfig({ url: service.url, ...trust, type: 'demo', ...input }, 'test');
  return enrol(config, home, {
    ...{ log, clock, random: systemRandom, signal },
    backoff: { leastMs: 5, mostMs: 20 },
  });
}

/** Answers one call once as told, and everything else as usual. */
function once(call: string, reply: TestReply | 'lost' | ((usual: TestReply) => TestReply | 'lost')): void {
  let done = false;
  service.interfere = async (name, usual) => {
    if (name !== call || done) return usual();
    done = true;
    if (typeof reply !== 'function') return reply;
    return reply(await usual());
  };
}

test('all calls share one connection, which ends with them; the CA is fetched on one of its own', async () => {
  await run();
  expect(service.calls).toHaveLength(4);
  expect(service.connections()).toBe(2);
  await until('all are closed', async () => (await service.open()) === 0);
});

test.each(['ed25519', 'rsa-sha256', 'ml-dsa-65'] as const)(
  'a device of suite %s gets its identity',
  async (suite) => {
    const credentials = await run({ suite });
    const { identity, keys, tlsCertificate, tlsKey } = credentials;
    expect(identity).toMatchObject({ type: 'demo', suite, server: SERVER, broker: 'mqtts://localhost:8883' });
    expect(credentials.serverPem).toBe(serverKeys.get(suite)!.signing.publicPem);
    const device = service.devices.get(identity.id)!;
    expect(device).toMatchObject({ state: 'certified', publicPem: keys.signing.publicPem });
    expect(device.sealPem).toBe(keys.sealing?.publicPem);
    const certificate = new X509Certificate(tlsCertificate);
    expect(certificate.subject).toBe(`CN=${identity.id}`);
    expect(certificate.publicKey.export({ type: 'spki', format: 'pem' })).not.toBe(keys.signing.publicPem);
    expect(new X509Certificate(credentials.ca).fingerprint256.replaceAll(':', '').toLowerCase()).toBe(
      ca.fingerprint,
    );
    expect(isRenewalDue(tlsCertificate, Date.now())).toBe(false);
    expect(isRenewalDue(tlsCertificate, Date.now() + 3_000_000)).toBe(true);
    // P 8.1: private keys stay, in files of the owner alone.
    const said = JSON.stringify([service.requests, log.lines, credentials]);
    for (const secret of [keys.signing.privatePem, tlsKey]) {
      expect(said).not.toContain(secret.reveal().split('\n')[1]);
    }
    for (const name of await readdir(home.keys))
      expect((await stat(join(home.keys, name))).mode & 0o777).toBe(0o600);
    expect((await stat(home.keys)).mode & 0o777).toBe(0o700);
    await expect(access(home.enrolment)).rejects.toThrow('ENOENT');
  },
);

test.each(['POST register', 'POST validate', 'POST access'])(
  'the answer to %s is lost, with the power: the next start goes on, and the device is one',
  async (call) => {
    once(call, (usual) => (usual.status < 300 ? 'lost' : usual));
    const stopped = new AbortController();
    const usual = service.interfere;
    service.interfere = async (name, asUsual) => {
      const reply = await usual(name, asUsual);
      if (reply === 'lost') stopped.abort(new Error('power cut'));
      return reply;
    };
    await expect(run({}, systemClock, stopped.signal)).rejects.toThrow('power cut');
    await expect(access(home.identity)).rejects.toThrow('ENOENT');
    const { identity } = await run();
    const certified = [...service.devices.values()].filter(({ state }) => state === 'certified');
    expect(certified.map(({ id }) => id)).toEqual([identity.id]);
    expect(service.devices.size).toBe(1);
  },
);

test('a registration that expired meanwhile begins anew', async () => {
  once('POST validate', { status: 410, body: { error: 'gone', message: 'too late' } });
  const { identity } = await run();
  expect(service.calls.filter((call) => call === 'POST register')).toHaveLength(2);
  expect(service.devices.get(identity.id)?.state).toBe('certified');
  service.devices.clear();
  await rm(home.identity);
  once('POST access', { status: 410, body: { error: 'gone', message: 'too late' } });
  expect((await run()).identity.id).not.toBe(identity.id);
});

test('an id that is taken: another is drawn; one after the other: it gives up', async () => {
  once('POST register', { status: 409, body: { error: 'duplicate', message: 'taken' } });
  await run();
  expect(service.devices.size).toBe(1);
  await rm(home.identity);
  service.interfere = (call, usual) =>
    call === 'POST register' ? Promise.resolve({ status: 409, body: {} }) : usual();
  await expect(run()).rejects.toThrow('refused 5 ids');
});

test('the wrong fingerprint: both are shown, nothing is said to the server, nothing is kept', async () => {
  const wrong = 'ab'.repeat(32);
  const error = await run({ caFingerprint: wrong }).catch(
    (reason: unknown) => reason as Error & { hint: string },
  );
  expect(error).toMatchObject({ name: 'AgentError', message: expect.stringContaining(wrong) as string });
  expect((error as Error).message).toContain(ca.fingerprint);
  expect((error as { hint: string }).hint).toContain('do not go on');
  expect(service.calls).toEqual([]);
  expect(await readdir(folder)).toEqual([]);
});

test('plain http is refused (P 8.6)', async () => {
  await expect(run({ url: service.url.replace('https', 'http') })).rejects.toMatchObject({
    message: expect.stringContaining('not an https address') as string,
    hint: expect.stringContaining('HTTPS only') as string,
  });
});

test('a CA file instead of a fingerprint; and neither: a CA that the system does not know is refused with advice', async () => {
  const caFile = join(folder, 'ca.pem');
  await writeFile(caFile, ca.pem);
  await run({ caFile });
  await rm(home.identity);
  const none = parseConfig({ url: service.url, type: 'demo' }, 'test');
  const tools = { log, clock: systemClock, random: systemRandom, signal: new AbortController().signal };
  await expect(enrol(none, home, tools)).rejects.toMatchObject({
    hint: expect.stringContaining('--ca-fingerprint') as string,
  });
});

test('an enrolment code is sent; without a good one the message says to ask for it', async () => {
  service.interfere = async (call, usual) => {
    const code = service.requests.at(-1)?.body['code'];
    if (call === 'POST register' && code !== 'sesame')
      return { status: 403, body: { error: 'wrong-code', message: 'a code is wanted' } };
    return usual();
  };
  await expect(run()).rejects.toMatchObject({
    message: expect.stringContaining('a code is wanted') as string,
    hint: expect.stringContaining('--enrolment-code') as string,
  });
  await run({ enrolmentCode: 'sesame' });
  expect(JSON.stringify(log.lines)).not.toContain('sesame');
});

test('the device waits for a service that is away, closed, overloaded or in trouble', async () => {
  const { url } = service;
  const port = Number(new URL(url).port);
  await service.close();
  const waiting = run({ url });
  await expect.poll(() => log.lines.length).toBeGreaterThan(1);
  expect(log.lines[0]?.text).toContain("can't be reached");
  service = await start({ port });
  const script: (TestReply | undefined)[] = [
    { status: 200, body: { active: false, identity: SERVER } },
    { status: 503, body: { error: 'unavailable', message: 'later' } },
    { status: 429, body: { error: 'too-many-requests', message: 'wait' }, headers: { 'retry-after': '0' } },
    { status: 502, body: '<html>bad gateway</html>' },
  ];
  service.interfere = (_call, usual) => {
    const reply = script.shift();
    return reply === undefined ? usual() : Promise.resolve(reply);
  };
  await waiting;
  const said = log.lines.map(({ text }) => text).join('\n');
  for (const words of ['is closed', '503 to status: later', '429', '502']) expect(said).toContain(words);
});

test('the waiting ends when the agent stops', async () => {
  await service.close();
  const stopping = new AbortController();
  const waiting = run({}, systemClock, stopping.signal);
  await expect.poll(() => log.lines.length).toBeGreaterThan(0);
  stopping.abort(new Error('stopping'));
  await expect(waiting).rejects.toThrow();
  service = await start();
});

test('a clock that is far off: the log shows its time, and the device waits', async () => {
  await service.close();
  service = await start({ notBefore: 2000 }); // not valid yet
  await expect(run().then(() => log.lines.map(({ text }) => text).join())).resolves.toContain(
    "this device's clock, which says",
  );
});

test.each([
  ['GET status', { active: 'yes', identity: SERVER }, 'active'],
  ['GET status', { active: true, identity: '../x' }, 'is not an identity'],
  ['POST register', { default_c2: '0' }, 'default_c2'],
  ['POST register', { key: 'bm8ga2V5' }, 'key'],
  ['POST register', { service_key: undefined }, 'by which key it proves itself'],
  ['POST register', { service_key: '' }, 'service_key'],
  ['POST register', { broker: 'mqtts://' }, 'address of the broker'],
  ['POST validate', { signature: 'AAAA' }, 'does not prove'],
  ['POST validate', { identity: 'abc' }, 'does not prove'],
  [
    'POST access',
    { certificate: Buffer.from('-----BEGIN CERTIFICATE-----').toString('base64') },
    "can't be read",
  ],
])('a lying or broken answer to %s (%j) is refused', async (call, change, words) => {
  once(call, (usual) => ({ ...usual, body: { ...(usual.body as object), ...change } }));
  await expect(run()).rejects.toThrow(words);
  await expect(access(home.identity)).rejects.toThrow('ENOENT');
});

test('a service that names no key of its own is taken when the owner says so, and remembered as such', async () => {
  service.interfere = async (call, usual) => {
    const reply = await usual();
    if (call !== 'POST register') return reply;
    return { ...reply, body: { ...(reply.body as object), service_key: undefined } };
  };
  const { identity } = await run({ referenceServer: true });
  expect(identity).toMatchObject({ suite: 'rsa-sha256', reference: true });
});

test('accepting a reference service skips no proof of a service that can give one', async () => {
  once('POST validate', (usual) => ({ ...usual, body: { identity: SERVER, signature: 'AAAA' } }));
  await expect(run({ referenceServer: true })).rejects.toThrow('does not prove');
  const { identity } = await run({ referenceServer: true });
  expect(identity).not.toHaveProperty('reference');
});

test('a device whose owner no longer accepts a reference service does not continue that enrolment', async () => {
  const stopping = new AbortController();
  service.interfere = async (call, usual) => {
    if (call === 'POST validate') {
      stopping.abort(new Error('power cut'));
      return 'lost';
    }
    const reply = await usual();
    return { ...reply, body: { ...(reply.body as object), service_key: undefined } };
  };
  await expect(run({ referenceServer: true }, systemClock, stopping.signal)).rejects.toThrow('power cut');
  service.interfere = (_call, usual) => usual();
  await expect(run({ suite: 'rsa-sha256' })).rejects.toThrow('by which key it proves itself');
});

test('the true address of the broker is preferred to the one for pySRUP', async () => {
  const broker_url = 'mqtts://broker.example:1234';
  once('POST register', (usual) => ({
    ...usual,
    body: { ...(usual.body as object), broker: 'mqtt://broker.example:1234', broker_url },
  }));
  expect((await run()).identity.broker).toBe(broker_url);
});

test('a server key of another suite is refused', async () => {
  const rsa = Buffer.from(serverKeys.get('rsa-sha256')!.signing.publicPem).toString('base64');
  once('POST register', (usual) => ({ ...usual, body: { ...(usual.body as object), key: rsa } }));
  await expect(run()).rejects.toThrow('suite rsa-sha256, not ed25519');
});

test('a certificate for another id, another key, or of another CA is refused', async () => {
  const stranger = await ca.issue({ commonName: 'abc' });
  const certificate = Buffer.from(stranger.certPem).toString('base64');
  once('POST access', (usual) => ({ ...usual, body: { ...(usual.body as object), certificate } }));
  await expect(run()).rejects.toThrow('for another id');
  const { id } = JSON.parse(await readFile(home.enrolment, 'utf8')) as { id: string };
  const namesake = Buffer.from((await ca.issue({ commonName: id })).certPem).toString('base64');
  once('POST access', (usual) => ({ ...usual, body: { ...(usual.body as object), certificate: namesake } }));
  await expect(run()).rejects.toThrow('for another key');
  const otherCa = Buffer.from((await makeCa()).pem).toString('base64');
  once('POST access', (usual) => ({
    ...usual,
    body: { ...(usual.body as object), CA_certificate: otherCa },
  }));
  await expect(run()).rejects.toThrow('not signed by the CA');
});

test('an endless answer is cut', async () => {
  once('GET status', { status: 200, body: 'x'.repeat(100_000) });
  await run();
  expect(log.lines[0]?.text).toContain('longer than 65536 bytes');
});
