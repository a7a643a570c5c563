/** A certificate that is renewed in time, and a broker that has moved: by the key service, over HTTPS. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { generateKeys, systemClock, systemRandom } from '@srup/node';
import type { Clock } from '@srup/protocol';
import { makeCa, type TestCa } from '../../../node/test/certificates.ts';
import { until } from '@srup/node/testing';
import { startKeyService, type TestKeyService } from '../../test/key-service.ts';
import { makeLog } from '../../test/log.ts';
import { parseConfig, type AgentConfig } from '../config/config.ts';
import { homeAt, type Home } from '../ground/home.ts';
import { loadCredentials, type Credentials } from '../vault/identity.ts';
import { enrol } from './enrol.ts';
import { followBroker, type Movable } from './moved.ts';
import { keepRenewed } from './renew.ts';

const BROKER = 'mqtts://localhost:8883';
const ELSEWHERE = 'mqtts://elsewhere.example:9883';
const MINUTE = 60_000;

let ca: TestCa;
let home: Home;
let folder: string;
let service: TestKeyService;
let config: AgentConfig;
let first: Credentials;
let log: ReturnType<typeof makeLog>;
let session: Movable & { connected: boolean; readonly given: Credentials[] };
let running: { stop(): void }[];

beforeEach(async () => {
  ca = await makeCa();
  folder = await mkdtemp(join(tmpdir(), 'srup-renew-'));
  home = homeAt(folder);
  const keys = await generateKeys('ed25519');
  service = await startKeyService({
    ...{ ca, broker: BROKER, server: 'b9d077e223834cf6' },
    serverPem: () => keys.signing.publicPem,
  });
  config = parseConfig({ url: service.url, caFingerprint: ca.fingerprint, type: 'demo' }, 'test');
  log = makeLog();
  const surroundings = {
    log,
    clock: systemClock,
    random: systemRandom,
    signal: new AbortController().signal,
  };
  first = await enrol(config, home, { ...surroundings, backoff: { leastMs: 5, mostMs: 20 } });
  const given: Credentials[] = [];
  session = {
    given,
    connected: false,
    isConnected: () => session.connected,
    get credentials() {
      return given.at(-1) ?? first;
    },
    renew: async (changed) => void given.push({ ...session.credentials, ...changed }),
  };
  running = [];
  service.calls.length = 0;
});
afterEach(async () => {
  for (const one of running) one.stop();
  await service.close();
  await rm(folder, { recursive: true, force: true });
});

const said = (part: string): boolean => log.lines.some(({ text }) => text.includes(part));

function renewing(clock: Clock): void {
  running.push(keepRenewed(session, home, config, { log, clock, random: systemRandom }));
}

function following(from = config): void {
  running.push(
    followBroker(
      session,
      home,
      from,
      { log, clock: systemClock, random: systemRandom, onEnding: () => undefined },
      { leastMs: 10, mostMs: 40 },
    ),
  );
}

/** What the key service says of the broker. */
function brokerIs(broker: string | undefined): void {
  service.interfere = async (call, usual) => {
    const reply = await usual();
    return call === 'GET status' ? { ...reply, body: { ...(reply.body as object), broker } } : reply;
  };
}

/** `ahead`: milliseconds; the certificate lives for an hour before now and one after. */
const clockAhead = (ahead: number): Clock => ({ ...systemClock, now: () => Date.now() + ahead });

test('a certificate is renewed after two thirds of its life, and not before', async () => {
  renewing(clockAhead(15 * MINUTE));
  renewing({ ...clockAhead(25 * MINUTE), isTrusted: () => false });
  expect(service.calls).toEqual([]);
  renewing(clockAhead(25 * MINUTE));
  await until('renewed', () => session.given.length > 0);
  const { tlsCertificate } = session.credentials;
  expect(tlsCertificate).not.toBe(first.tlsCertificate);
  expect(new X509Certificate(tlsCertificate).subject).toBe(`CN=${first.identity.id}`);
  expect((await loadCredentials(home))?.tlsCertificate).toBe(tlsCertificate);
  expect(service.calls).toEqual(['POST access']);
});

test('a key service that says when to come back is asked then (P 10.10)', async () => {
  service.interfere = async () => ({ status: 503, body: {}, headers: { 'retry-after': '42' } });
  renewing(clockAhead(25 * MINUTE));
  await until('it failed', () => said('could not be renewed'));
  const { fields } = log.lines.find(({ text }) => text.includes('could not be renewed'))!;
  expect(fields).toMatchObject({ retryMs: 42_000 });
});

test('a certificate that expired long ago is renewed too: the SRUP key proves the device', async () => {
  const slept = {
    commonName: first.identity.id,
    notBefore: -800 * 1440 * MINUTE,
    notAfter: -435 * 1440 * MINUTE,
  };
  first = { ...first, tlsCertificate: (await ca.issue(slept)).certPem };
  renewing(systemClock);
  await until('renewed', () => session.given.length > 0);
  const { validToDate } = new X509Certificate(session.credentials.tlsCertificate);
  expect(validToDate.getTime()).toBeGreaterThan(Date.now());
});

test('a key service that fails is asked again soon, and nothing is lost meanwhile', async () => {
  const before = await readFile(join(folder, 'keys', 'tls.cert.pem'), 'utf8');
  service.interfere = async (_call, usual) =>
    service.calls.length === 1 ? { status: 503, body: { error: 'busy' } } : usual();
  renewing(clockAhead(25 * MINUTE));
  await until('it failed', () => said('could not be renewed'));
  expect(await readFile(join(folder, 'keys', 'tls.cert.pem'), 'utf8')).toBe(before);
  await until('renewed', () => session.given.length > 0);
});

test('a device without its broker asks where it is, remembers the answer, and asks no more', async () => {
  brokerIs(BROKER);
  following();
  await until('asked and told the same', () => service.calls.length >= 2);
  expect(session.given).toEqual([]);
  brokerIs(ELSEWHERE);
  await until('moved', () => session.given.length > 0);
  session.connected = true;
  expect(session.credentials.identity).toEqual({ ...first.identity, broker: ELSEWHERE });
  expect((await loadCredentials(home))?.identity.broker).toBe(ELSEWHERE);
  expect(said('the broker has moved')).toBe(true);
  expect(session.given).toHaveLength(1);
});

test('a connected device does not ask; a key service that errs, says nothing or nonsense moves nobody', async () => {
  session.connected = true;
  following();
  await new Promise((resolve) => setTimeout(resolve, 100)); // ten times the patience
  expect(service.calls).toEqual([]);
  session.connected = false;
  for (const broker of [undefined, 'mqtts://']) {
    brokerIs(broker);
    const asked = service.calls.length;
    await until('asked', () => service.calls.length >= asked + 2);
  }
  service.interfere = async () => ({ status: 500, body: {} });
  const asked = service.calls.length;
  await until('asked in vain', () => service.calls.length >= asked + 2);
  expect(said('could not be asked')).toBe(true);
  expect(session.given).toEqual([]);
});

test('a service that the owner has not pinned, or that shows another certificate, is not believed (P 8.6)', async () => {
  brokerIs(ELSEWHERE);
  following(parseConfig({ url: service.url, type: 'demo' }, 'test'));
  first = { ...first, ca: (await makeCa('Another CA')).pem };
  following();
  await until('refused', () => said('could not be asked'));
  expect(service.calls).toEqual([]);
  expect(session.given).toEqual([]);
});
