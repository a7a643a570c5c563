import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  checkProof,
  generateKeys,
  importVerifyKey,
  newIdentity,
  pemToBody,
  proveText,
  Secret,
  systemClock,
  systemRandom,
  type KeySet,
} from '@srup/node';
import { identityText, parseIdentity, type Clock, type Identity, type SuiteName } from '@srup/protocol';
import Fastify, { type FastifyInstance } from 'fastify';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { requestCertificate } from '../../test/authority.ts';
import { everythingIn, placeFor } from '../../test/database.ts';
import type { Authority } from '../authority/authority.ts';
import { readCrl } from '../authority/crl.ts';
import { Pkcs10CertificateRequestGenerator } from '../../test/x509.ts';
import { openReadOnly, type StorePlace } from '../store/open.ts';
import { openVault, type Vault } from '../vault/vault.ts';
import { LIVE_CERTIFICATES } from './certificates.ts';
import type { KeyServiceLimits } from './http/limits.ts';
import { keyServiceRoutes } from './http/routes.ts';
import { openRegistry, type Registry } from './registry.ts';
import { createKeyService, type KeyService, type KeyServiceOptions } from './service.ts';
import type { KeyServiceTables } from './tables.ts';

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const SUITES: SuiteName[] = ['rsa-sha256', 'ed25519', 'ml-dsa-65'];

interface Recorded {
  readonly method?: string;
  readonly url?: string;
  readonly status?: number;
  readonly request?: Record<string, string>;
  readonly response?: string;
}
const recording = JSON.parse(
  readFileSync(new URL('../../../../vectors/pysrup-session.json', import.meta.url), 'utf8'),
) as { http: Recorded[]; keys: Record<string, { publicKeyPem: string }> };

let root: string;
let vault: Vault;
let device: Record<SuiteName, KeySet>;

let umask: number;

beforeAll(async () => {
  umask = process.umask(0o022); // as most systems have it: what is private must be made so
  root = mkdtempSync(join(tmpdir(), 'srup-keyservice-'));
  vault = await openVault(
    { folder: join(root, 'data'), names: [] },
    { clock: systemClock, random: systemRandom, warn: (message) => expect.unreachable(message) },
  );
  const sets = await Promise.all(SUITES.map(async (suite) => [suite, await generateKeys(suite)] as const));
  device = Object.fromEntries(sets) as typeof device;
});

afterAll(async () => {
  await vault.close();
  rmSync(root, { recursive: true });
  process.umask(umask);
});

let now: number;
const clock: Clock = { now: () => now, monotonic: () => now, isTrusted: () => true };
let folder: string;
let database: StorePlace;
const removals: (() => Promise<void>)[] = [];
let registry: Registry;
let service: KeyService;
let app: FastifyInstance;
let base: string;
let crls: string[];
let ended: Identity[];
let logged: string;
let isClosed: boolean;

beforeEach(async () => {
  now = Date.now();
  folder = mkdtempSync(join(root, 'service-'));
  database = await placeFor(folder, (remove) => removals.push(remove), 'keys');
  crls = [];
  ended = [];
  logged = '';
  isClosed = false;
});

afterEach(async () => {
  await app.close();
  if (!isClosed) await registry.close();
  for (const remove of removals.splice(0)) await remove();
});

interface Changes extends Partial<KeyServiceOptions> {
  readonly clock?: Clock;
  readonly authority?: Authority;
  readonly end?: (id: Identity) => Promise<void>;
}

async function start(
  { clock: time = clock, authority = vault.keyService.authority, end, ...options }: Changes = {},
  limits: KeyServiceLimits = { registrationsPerMinute: 1000 },
) {
  const ports = { authority, clock: time, random: systemRandom };
  registry = await openRegistry({ folder, database }, ports);
  const broker = {
    url: 'mqtts://broker.example:8883',
    follow: ({ crl }: { crl: string }) => void crls.push(crl),
    end: end ?? (async (id: Identity) => void ended.push(id)),
  };
  service = createKeyService(
    {
      serverId: vault.server.id,
      serverKeys: vault.server.publicKeys,
      keys: vault.keyService.keys,
      requireCode: false,
      ...options,
    },
    { registry, broker, ...ports },
  );
  app = Fastify({ logger: { level: 'trace', stream: { write: (line: string) => (logged += line) } } });
  await app.register(keyServiceRoutes(service, limits), { prefix: '/KeyEx' });
  base = await app.listen({ host: '127.0.0.1', port: 0 });
}

async function restart(changes: Changes = {}) {
  await app.close();
  await registry.close();
  await start(changes);
}

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly json: Record<string, string>;
}

async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const response = await fetch(`${base}/KeyEx${path}`, {
    method,
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  return { status: response.status, text, json: isJson ? (JSON.parse(text) as Record<string, string>) : {} };
}

const post = (name: string, body: unknown) => call('POST', `/register/${name}`, body);
const get = (path: string) => call('GET', `/register/${path}`);
const refusalOf = ({ status, json }: Reply) => [status, json['error']];
const unbase64 = (text: string | undefined) => Buffer.from(text ?? '', 'base64').toString();

/** Base64 in lines, as Python’s encodebytes writes it. */
const inLines = (text: string | Buffer) =>
  (typeof text === 'string' ? Buffer.from(text) : text).toString('base64').replace(/.{1,76}/g, '$&\n');

const requestFor = async (name: string) => `${await requestCertificate(name)}\n`;

/** A device as it enrols, step by step. */
function newDevice(suite: SuiteName = 'ed25519', keys: KeySet = device[suite]) {
  const id = newIdentity(systemRandom);
  const identity = identityText(id);
  const prove = (text: string) => proveText(keys.signing.privatePem, text);
  return {
    id,
    identity,
    registration: {
      identity,
      type: 'sensor',
      key: pemToBody(keys.signing.publicPem),
      ...(keys.sealing && { sealKey: pemToBody(keys.sealing.publicPem) }),
    },
    register(changes: Record<string, unknown> = {}) {
      return post('register', { ...this.registration, ...changes });
    },
    validate: (text = identity) => post('validate', { identity, signature: prove(text) }),
    async access(csr?: string, proof?: string) {
      const pem = csr ?? (await requestFor(identity));
      return post('access', { identity, csr: inLines(pem), signature: proof ?? prove(pem) });
    },
    async enrol() {
      expect((await this.register()).status).toBe(201);
      expect((await this.validate()).status).toBe(200);
      const answer = await this.access();
      expect(answer.status).toBe(200);
      return new X509Certificate(unbase64(answer.json['certificate']));
    },
  };
}

describe('enrolment', () => {
  test.each(SUITES)('%s: from registration to certificate', async (suite) => {
    await start();
    const one = newDevice(suite);
    const registered = await one.register();
    expect(registered.status).toBe(201);
    expect(registered.json).toMatchObject({
      broker: 'mqtt://broker.example',
      broker_url: 'mqtts://broker.example:8883',
      default_c2: identityText(vault.server.id),
    });
    const serverKey = unbase64(registered.json['key']);
    expect(serverKey).toBe(vault.server.keys[suite].signing.publicPem);
    expect(importVerifyKey(serverKey).suite).toBe(suite);
    expect('sealKey' in registered.json).toBe(suite !== 'rsa-sha256');

    const validated = await one.validate();
    expect(validated.status).toBe(200);
    const serviceKey = unbase64(registered.json['service_key']);
    const { identity, signature } = validated.json;
    expect(identity).toBe(identityText(vault.server.id));
    expect(checkProof(serviceKey, identity!, signature!)).toBe(true);
    expect(checkProof(serverKey, identity!, signature!)).toBe(false); // two roles, two keys

    const access = await one.access();
    expect(access.status).toBe(200);
    const certificate = new X509Certificate(unbase64(access.json['certificate']));
    const ca = new X509Certificate(unbase64(access.json['CA_certificate']));
    expect(certificate.subject).toBe(`CN=${one.identity}`);
    expect(certificate.verify(ca.publicKey)).toBe(true);

    expect(await service.find(one.id)).toMatchObject({ type: 'sensor', suite, state: 'certified' });
    expect(await registry.isAllowed(one.id)).toBe(true);
  });

  test('the recorded requests of the published clients pass as they are', async () => {
    await start();
    const posts = recording.http.filter(
      ({ method, url }) => method === 'POST' && url?.includes('/KeyEx/register/') && !url.includes('c2'),
    );
    const ids = new Set(
      posts.filter(({ url }) => url!.endsWith('access')).map(({ request }) => request!['identity']!),
    );
    expect(ids.size).toBe(6);
    for (const { url, request, status, response } of posts) {
      if (!ids.has(request!['identity']!)) continue; // one client stopped after its registration
      const answer = await call('POST', new URL(url!).pathname.replace('/KeyEx', ''), request);
      expect(answer.status, `${url} ${answer.text}`).toBe(status);
      // Everything that the published service answers, they find here too.
      for (const name of Object.keys(JSON.parse(response!) as object))
        expect(answer.json[name], name).toBeTypeOf('string');
    }
    for (const identity of ids) {
      const key = await get(`get_key/${identity}`);
      expect(key.status).toBe(200);
      expect(unbase64(key.text).trim()).toBe(recording.keys[identity]!.publicKeyPem.trim());
      expect((await get(`get_type/${identity}`)).status).toBe(200);
    }
  });

  test('answers a repeated validate again, and renews a certificate', async () => {
    await start();
    const one = newDevice();
    const first = await one.enrol();
    expect((await one.validate()).status).toBe(200);
    now += 300 * DAY;
    const second = await one.access();
    expect(new X509Certificate(unbase64(second.json['certificate'])).serialNumber).not.toBe(
      first.serialNumber,
    );
    now += 3 * 365 * DAY; // slept through the end of both
    expect((await one.access()).status).toBe(200);
  });

  test('takes key and proof broken into lines, and JSON of any content type', async () => {
    await start();
    const one = newDevice('rsa-sha256');
    const key = one.registration.key.replace(/.{64}/g, '$&\r\n');
    const body = JSON.stringify({ ...one.registration, key, type: 'HEX', unknown: 'ignored' });
    expect((await call('POST', '/register/register', body, { 'content-type': 'text/plain' })).status).toBe(
      201,
    );
    const signature = inLines(
      Buffer.from(proveText(device['rsa-sha256'].signing.privatePem, one.identity), 'base64'),
    );
    expect((await post('validate', { identity: one.identity, signature })).status).toBe(200);
  });

  test('keeps at most a handful of certificates of one device alive', async () => {
    await start();
    const one = newDevice();
    await one.enrol();
    for (let more = 1; more < LIVE_CERTIFICATES; more += 1) {
      now += 1000;
      expect((await one.access()).status).toBe(200);
    }
    expect(crls).toEqual([]);
    now += 1000;
    expect((await one.access()).status).toBe(200);
    expect(crls).toHaveLength(1);
    expect(registry.lists.newest().crl).toBe(crls[0]);
  });
});

describe('two devices that want the same', () => {
  test('identity: exactly one gets it', async () => {
    await start();
    const one = newDevice();
    const keys = await Promise.all(Array.from({ length: 20 }, () => generateKeys('ed25519')));
    const answers = await Promise.all(
      keys.map((set) => newDevice('ed25519', set).register({ identity: one.identity })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(19);
  });

  test('identity, with another key: the first keeps it', async () => {
    await start();
    const one = newDevice();
    await one.enrol();
    const thief = newDevice('rsa-sha256');
    expect(refusalOf(await thief.register({ identity: one.identity }))).toEqual([409, 'duplicate']);
    expect((await service.find(one.id))?.publicPem).toBe(device.ed25519.signing.publicPem);
  });

  test('use of an enrolment code: as many as it has uses', async () => {
    await start({ requireCode: true });
    const { secret } = await service.codes.create({ uses: 3 });
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => newDevice().register({ code: secret })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    expect((await service.codes.list())[0]?.usesLeft).toBe(0);
  });

  test('set-up steps at once and in a hurry: no other answers than the known ones', async () => {
    await start();
    const one = newDevice();
    const answers = await Promise.all([
      one.access(),
      one.validate(),
      one.register(),
      one.validate(),
      one.access(),
      one.register(),
    ]);
    for (const { status, text } of answers) expect([200, 201, 404, 409], text).toContain(status);
  });
});

describe('a registration is refused', () => {
  test.each([
    ['no JSON', 'hello'],
    ['an empty body', ''],
    ['a list', '[]'],
    ['null', 'null'],
    ['poisoned JSON', '{"__proto__": {"identity": "1"}}'],
    ['cut JSON', '{"identity": "b9d0'],
  ])('400: %s', async (_, body) => {
    await start();
    expect(refusalOf(await post('register', body))).toEqual([400, 'invalid']);
  });

  test.each([
    ['no identity', { identity: undefined }],
    ['a number as identity', { identity: 42 }],
    ['upper case', { identity: 'B9D077E223834CF6' }],
    ['a leading zero', { identity: '0b9d077e223834c' }],
    ['zero', { identity: '0' }],
    ['17 digits', { identity: 'b9d077e223834cf6a' }],
    ['a wildcard', { identity: '+' }],
    ['a level too many', { identity: 'b9/d0' }],
    ['a NUL', { identity: 'b9\u0000' }],
    ['a newline', { identity: 'b9\n' }],
    ['no type', { type: undefined }],
    ['markup as type', { type: '<b>x</b>' }],
    ['a type of 65 letters', { type: 'x'.repeat(65) }],
    ['the type of servers', { type: 'C2' }],
    ['no key', { key: undefined }],
    ['a key that is not base64', { key: 'not base64!' }],
  ])('400: %s', async (_, changes) => {
    await start();
    expect(refusalOf(await newDevice().register(changes))).toEqual([400, 'invalid']);
  });

  const spki = (type: string, options: object = {}) =>
    pemToBody(
      (
        generateKeyPairSync as (type: string, options: object) => { publicKey: { export(o: object): string } }
      )(type, options).publicKey.export({ format: 'pem', type: 'spki' }),
    );

  test.each([
    ['base64 of no key', () => ({ key: 'AAAA' })],
    ['RSA 1024', () => ({ key: spki('rsa', { modulusLength: 1024 }), sealKey: undefined })],
    [
      'RSA with exponent 3',
      () => ({ key: spki('rsa', { modulusLength: 2048, publicExponent: 3 }), sealKey: undefined }),
    ],
    ['an EC key', () => ({ key: spki('ec', { namedCurve: 'P-256' }) })],
    ['no sealKey for ed25519', () => ({ sealKey: undefined })],
    ['a sealKey that is not a key', () => ({ sealKey: spki('ed25519') })],
    ['a sealKey for RSA', () => ({ key: spki('rsa', { modulusLength: 2048 }) })],
  ])('400: %s', async (_, changes) => {
    await start();
    expect(refusalOf(await newDevice().register(changes()))).toEqual([400, 'invalid-key']);
  });

  test('403: without a valid enrolment code where the operator requires one', async () => {
    await start({ requireCode: true });
    const { secret } = await service.codes.create({ uses: 1 });
    const { secret: ofPumps } = await service.codes.create({ uses: 5, type: 'pump' });
    const { secret: short } = await service.codes.create({ uses: 5, expiresAt: now + MINUTE });
    const { secret: removed, code } = await service.codes.create({ uses: 5 });
    expect(await service.codes.remove(code.id)).toBe(true);
    expect(await service.codes.remove(code.id)).toBe(false);
    const refused = [403, 'wrong-code'];
    expect(refusalOf(await newDevice().register())).toEqual(refused);
    expect(refusalOf(await newDevice().register({ code: 'guess' }))).toEqual(refused);
    expect(refusalOf(await newDevice().register({ code: removed }))).toEqual(refused);
    expect(refusalOf(await newDevice().register({ code: ofPumps }))).toEqual(refused);
    expect((await newDevice().register({ code: ofPumps, type: 'pump' })).status).toBe(201);
    expect(
      (await newDevice().register({ code: ` ${secret.replaceAll('-', '').toUpperCase()}` })).status,
    ).toBe(201);
    expect(refusalOf(await newDevice().register({ code: secret }))).toEqual(refused);
    expect((await newDevice().register({ code: short })).status).toBe(201);
    now += MINUTE;
    expect(refusalOf(await newDevice().register({ code: short }))).toEqual(refused);
  });

  test('403: with a wrong code even where none is required; a refused id stays free', async () => {
    await start();
    const one = newDevice();
    expect(refusalOf(await one.register({ code: 'guess' }))).toEqual([403, 'wrong-code']);
    expect((await one.register()).status).toBe(201);
  });

  test('the same again, after a lost answer: the same answer, and no second use of the code', async () => {
    await start({ requireCode: true });
    const { secret } = await service.codes.create({ uses: 1 });
    const one = newDevice();
    const first = await one.register({ code: secret });
    expect(await one.register({ code: secret })).toEqual(first);
    expect(first.status).toBe(201);
    expect(refusalOf(await newDevice().register({ code: secret }))).toEqual([403, 'wrong-code']);
    now += 10 * MINUTE - 1;
    expect((await one.register({ code: secret })).status).toBe(201);
    expect((await one.validate()).status).toBe(200);
    expect(refusalOf(await one.register({ code: secret }))).toEqual([409, 'duplicate']); // it goes on by now
    now += 1; // no longer than the first time would have given it
    expect(refusalOf(await one.access())).toEqual([410, 'gone']);
  });

  test('a duplicate uses up no code', async () => {
    await start({ requireCode: true });
    const { secret } = await service.codes.create({ uses: 2 });
    const one = newDevice();
    expect((await one.register({ code: secret })).status).toBe(201);
    const { identity } = one;
    for (const other of [
      newDevice('rsa-sha256').register({ identity, code: secret }),
      one.register({ type: 'another', code: secret }),
    ])
      expect(refusalOf(await other)).toEqual([409, 'duplicate']);
    expect((await service.codes.list())[0]?.usesLeft).toBe(1);
  });

  test('409: the identity of the server itself', async () => {
    await start();
    expect(refusalOf(await newDevice().register({ identity: identityText(vault.server.id) }))).toEqual([
      409,
      'duplicate',
    ]);
  });

  test('413: an endless body', async () => {
    await start();
    expect(refusalOf(await newDevice().register({ type: 'x'.repeat(100_000) }))).toEqual([413, 'too-large']);
  });

  test('429: too many from one address', async () => {
    await start({}, { registrationsPerMinute: 3, proofsPerMinute: 4 });
    const statuses = [];
    for (let i = 0; i < 4; i += 1) statuses.push((await newDevice().register()).status);
    expect(statuses).toEqual([201, 201, 201, 429]);
    const response = await fetch(`${base}/KeyEx/register/register`, { method: 'POST', body: '{}' });
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await response.json()).toMatchObject({ error: 'too-many-requests' });
    expect((await get('status')).status).toBe(200);
    for (let i = 0; i < 4; i += 1) expect((await newDevice().validate()).status).toBe(404);
    expect(refusalOf(await newDevice().validate())).toEqual([429, 'too-many-requests']);
  });

  test('a valid enrolment code lifts the limit for as long as it has uses; a wrong one counts', async () => {
    await start({}, { registrationsPerMinute: 2 });
    const { secret } = await service.codes.create({ uses: 5, type: 'pump' });
    const withCode = async (code: string, type: string) => newDevice().register({ code, type });
    for (let i = 0; i < 5; i += 1) expect((await withCode(secret, 'pump')).status).toBe(201);
    expect(refusalOf(await withCode(secret, 'pump'))).toEqual([403, 'wrong-code']);
    expect(refusalOf(await withCode('0000-0000', 'pump'))).toEqual([403, 'wrong-code']);
    expect(refusalOf(await withCode('0000-0000', 'pump'))).toEqual([429, 'too-many-requests']);
    const { secret: forOthers } = await service.codes.create({ uses: 5, type: 'valve' });
    expect(refusalOf(await withCode(forOthers, 'pump'))).toEqual([429, 'too-many-requests']);
  });

  test('the proofs of registered devices are limited for each device, not by their common address', async () => {
    await start({}, { registrationsPerMinute: 1000, proofsPerMinute: 3 });
    const devices = [newDevice(), newDevice(), newDevice(), newDevice(), newDevice()];
    for (const device of devices) {
      expect((await device.register()).status).toBe(201);
      expect((await device.validate()).status).toBe(200);
    }
    const [busy, other] = devices;
    for (let i = 1; i < 20 + 3; i += 1) expect((await busy!.validate()).status).toBe(200);
    expect(refusalOf(await busy!.validate())).toEqual([429, 'too-many-requests']);
    expect((await other!.validate()).status).toBe(200);
  });

  test('503: the service is closed; what was registered goes on, also after a restart', async () => {
    await start();
    expect((await get('status')).json).toEqual({
      active: true,
      identity: identityText(vault.server.id),
      broker: 'mqtts://broker.example:8883',
    });
    const early = newDevice();
    expect((await early.register()).status).toBe(201);
    await service.setOpen(false);
    await restart();
    expect((await get('status')).json).toMatchObject({
      active: false,
      identity: identityText(vault.server.id),
    });
    expect(refusalOf(await newDevice().register())).toEqual([503, 'closed']);
    expect((await early.validate()).status).toBe(200);
    expect((await early.access()).status).toBe(200);
    await service.setOpen(true);
    expect((await newDevice().register()).status).toBe(201);
  });

  test('503, never 500: when the database fails', async () => {
    await start();
    await registry.close();
    for (const answer of [
      await newDevice().register(),
      await newDevice().validate(),
      await get('get_key/b9'),
      await get('status'),
    ]) {
      expect(refusalOf(answer)).toEqual([503, 'unavailable']);
      expect(answer.json['message']).not.toMatch(/sqlite|database/i);
    }
    expect(logged).toContain('the key service failed');
    isClosed = true;
  });
});

describe('a proof is refused', () => {
  test('404: of an identity that nobody registered', async () => {
    await start();
    expect(refusalOf(await newDevice().validate())).toEqual([404, 'not-found']);
    expect(refusalOf(await newDevice().access())).toEqual([404, 'not-found']);
  });

  test.each(SUITES)('401: %s by another key, of another text, or of no text', async (suite) => {
    await start();
    const one = newDevice(suite);
    await one.register();
    const other = await generateKeys(suite);
    for (const signature of [
      proveText(other.signing.privatePem, one.identity),
      proveText(device[suite].signing.privatePem, 'b9d077e223834cf6'),
      proveText(device[suite === 'ed25519' ? 'rsa-sha256' : 'ed25519'].signing.privatePem, one.identity),
      'AAAA',
      '====',
    ]) {
      expect(refusalOf(await post('validate', { identity: one.identity, signature }))).toEqual([
        401,
        'bad-signature',
      ]);
    }
    expect(refusalOf(await post('validate', { identity: one.identity, signature: '' }))).toEqual([
      400,
      'invalid',
    ]);
    expect((await one.validate()).status).toBe(200);
    expect(refusalOf(await one.access(undefined, proveText(other.signing.privatePem, 'x')))).toEqual([
      401,
      'bad-signature',
    ]);
    expect((await one.access()).status).toBe(200);
  });

  test('409: a certificate before the key is proven', async () => {
    await start();
    const one = newDevice();
    await one.register();
    expect(refusalOf(await one.access())).toEqual([409, 'wrong-state']);
  });

  test('410: after ten minutes; the identity stays taken, and its keys are dropped', async () => {
    await start();
    const [registered, validated, certified] = [newDevice(), newDevice(), newDevice()];
    await registered.register();
    await validated.register();
    await validated.validate();
    await certified.enrol();
    now += 10 * MINUTE - 1;
    expect((await registered.validate()).status).toBe(200);
    now += 1;
    expect(refusalOf(await registered.validate())).toEqual([410, 'gone']);
    expect(refusalOf(await validated.access())).toEqual([410, 'gone']);
    expect(refusalOf(await validated.register())).toEqual([409, 'duplicate']);
    expect(refusalOf(await get(`get_key/${validated.identity}`))).toEqual([404, 'not-found']);
    expect(await service.find(validated.id)).toBeUndefined();
    expect(await registry.isAllowed(validated.id)).toBe(false);
    expect((await certified.access()).status).toBe(200);
    expect((await newDevice().register()).status).toBe(201);
    const opened = openReadOnly<KeyServiceTables>(database);
    const kept = await opened.read
      .selectFrom('identities')
      .select('id')
      .where('public_pem', '<>', '')
      .execute();
    await opened.close();
    expect(kept).toHaveLength(2); // the certified one and the newest
  });

  test('400: a CSR for another identity, with the SRUP key, or of no use', async () => {
    await start();
    const [one, victim] = [newDevice('rsa-sha256'), newDevice()];
    await one.register();
    await one.validate();
    await victim.enrol();
    const refused = [400, 'invalid-csr'];
    const forVictim = await one.access(await requestFor(victim.identity));
    expect(refusalOf(forVictim)).toEqual(refused);
    expect(forVictim.json['message']).toContain('CSR_NAME');
    expect(refusalOf(await one.access('no request'))).toEqual(refused);
    const privateKey = createPrivateKey(device['rsa-sha256'].signing.privatePem.reveal());
    const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
    const reused = await Pkcs10CertificateRequestGenerator.create({
      name: `CN=${one.identity}`,
      keys: {
        privateKey: privateKey.toCryptoKey(rsa, true, ['sign']),
        publicKey: (await import('node:crypto'))
          .createPublicKey(privateKey)
          .toCryptoKey(rsa, true, ['verify']),
      },
      signingAlgorithm: rsa,
    });
    const withSrupKey = await one.access(`${reused.toString('pem')}\n`);
    expect(refusalOf(withSrupKey)).toEqual(refused);
    expect(withSrupKey.json['message']).toContain('CSR_KEY_REUSED');
    expect((await service.find(one.id))?.state).toBe('validated');
    expect((await one.access()).status).toBe(200);
  });

  test('the victim’s request with the thief’s proof is of no use', async () => {
    await start();
    const [thief, victim] = [newDevice('rsa-sha256'), newDevice()];
    await thief.enrol();
    await victim.enrol();
    const csr = await requestFor(victim.identity);
    const signature = proveText(device['rsa-sha256'].signing.privatePem, csr);
    expect(
      refusalOf(await post('access', { identity: victim.identity, csr: inLines(csr), signature })),
    ).toEqual([401, 'bad-signature']);
  });
});

test('whatever is sent, the answer is a known refusal in JSON', async () => {
  await start({ c2Token: new Secret('token') }, { registrationsPerMinute: 1e6, proofsPerMinute: 1e6 });
  const one = newDevice();
  await one.register();
  await one.validate();
  const field = fc.oneof(
    fc.jsonValue(),
    fc.base64String(),
    fc.constant(one.identity),
    fc.constant(one.registration.key),
  );
  const body = fc.oneof(
    fc.jsonValue(),
    fc.record(
      { identity: field, key: field, type: field, sealKey: field, code: field, csr: field, signature: field },
      { requiredKeys: [] },
    ),
    // right up to the last check
    fc.base64String({ maxLength: 3_000 }).map((csr) => {
      const signature = proveText(device.ed25519.signing.privatePem, Buffer.from(csr, 'base64').toString());
      return { identity: one.identity, csr, signature };
    }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('register', 'validate', 'access', 'c2/'),
      body,
      async (name, content) => {
        const { status, json, text } = await post(name, content);
        expect([400, 401, 403, 404, 409, 413], text).toContain(status);
        expect(json['error']).toBeTypeOf('string');
        expect(json['message']).toBeTypeOf('string');
      },
    ),
    { numRuns: 300 },
  );
});

describe('revocation', () => {
  const hexOf = (pem: string) =>
    Buffer.from(pem.replace(/-----.*-----|\s/g, ''), 'base64')
      .toString('hex')
      .toUpperCase();

  test('403 and 410 for the identity; its certificates are on the list; its sessions end', async () => {
    await start();
    const [one, other] = [newDevice(), newDevice()];
    await one.enrol();
    await one.access();
    await other.enrol();
    await service.revoke(one.id);
    expect(await registry.isAllowed(one.id)).toBe(false);
    expect(await registry.isAllowed(other.id)).toBe(true);
    expect(ended).toEqual([one.id]);
    expect(crls).toHaveLength(1);
    expect(readFileSync(join(folder, 'crl.pem'), 'utf8')).toBe(registry.lists.newest().crl);
    expect((await service.find(one.id))?.state).toBe('revoked');
    expect(refusalOf(await one.validate())).toEqual([403, 'revoked']);
    expect(refusalOf(await one.access())).toEqual([403, 'revoked']);
    expect(refusalOf(await one.register())).toEqual([409, 'duplicate']);
    expect(refusalOf(await get(`get_key/${one.identity}`))).toEqual([410, 'gone']);
    expect((await other.access()).status).toBe(200);
  });

  test('can be repeated when it failed half way', async () => {
    let fails = true;
    await start({
      end: async (id) => {
        if (fails) throw new Error('the broker is away');
        ended.push(id);
      },
    });
    const one = newDevice();
    await one.enrol();
    await expect(service.revoke(one.id)).rejects.toThrow('the broker is away');
    expect(await registry.isAllowed(one.id)).toBe(false);
    fails = false;
    await service.revoke(one.id);
    expect(ended).toEqual([one.id]);
  });

  test('of many at once leaves a list with all of them, also after a restart', async () => {
    await start();
    const devices = Array.from({ length: 8 }, () => newDevice());
    const serials = await Promise.all(devices.map(async (one) => (await one.enrol()).serialNumber));
    await Promise.all(devices.map(({ id }) => service.revoke(id)));
    for (const serial of serials) expect(hexOf(crls.at(-1)!)).toContain(serial);
    await restart();
    for (const serial of serials) expect(hexOf(registry.lists.newest().crl)).toContain(serial);
  });

  test('makes a list with a greater number, also when the clock was set back meanwhile', async () => {
    await start();
    const devices = [newDevice(), newDevice()] as const;
    for (const one of devices) await one.enrol();
    await service.revoke(devices[0].id);
    await restart({ clock: { ...clock, now: () => clock.now() - 86_400_000 } });
    await service.revoke(devices[1].id);
    const numbers = crls.map((crl) => readCrl(crl, vault.keyService.authority.caPem)!.number);
    expect(numbers).toHaveLength(2);
    expect(numbers[1]).toBe(numbers[0]! + 1n);
  });

  test('during a request for a certificate wins', async () => {
    const { authority } = vault.keyService;
    const one = newDevice();
    await start({
      authority: {
        ...authority,
        issueDevice: async (...request) => {
          const issued = await authority.issueDevice(...request);
          await service.revoke(one.id);
          return issued;
        },
      },
    });
    await one.register();
    await one.validate();
    expect(refusalOf(await one.access())).toEqual([403, 'revoked']);
    expect(await registry.isAllowed(one.id)).toBe(false);
    expect((await service.find(one.id))?.state).toBe('revoked');
  });

  test('while a list is being made: that one does not replace the later one', async () => {
    const { authority } = vault.keyService;
    const [one, other] = [newDevice(), newDevice()];
    let lists = 0;
    let second: Promise<void> | undefined;
    await start({
      authority: {
        ...authority,
        revocationList: async (entries) => {
          lists += 1;
          const pem = await authority.revocationList(entries);
          if (lists !== 2) return pem; // the very first is made at the start
          second = service.revoke(other.id);
          for (let turn = 0; turn < 1000 && crls.length === 0; turn += 1) await new Promise(setImmediate);
          return pem;
        },
      },
    });
    const serials = [(await one.enrol()).serialNumber, (await other.enrol()).serialNumber];
    await service.revoke(one.id);
    await second;
    for (const serial of serials) expect(hexOf(registry.lists.newest().crl)).toContain(serial);
    expect(readFileSync(join(folder, 'crl.pem'), 'utf8')).toBe(registry.lists.newest().crl);
  });

  test('of an unknown identity changes nothing', async () => {
    await start();
    await service.revoke(newDevice().id);
    expect(ended).toEqual([]);
    expect(crls).toEqual([]);
  });
});

describe('questions', () => {
  test('get_key: a proven key, the server’s of each suite, and no other', async () => {
    await start();
    const one = newDevice();
    await one.register();
    expect(refusalOf(await get(`get_key/${one.identity}`))).toEqual([404, 'not-found']); // not proven yet
    await one.validate();
    const key = await get(`get_key/${one.identity}`);
    expect(unbase64(key.text)).toBe(device.ed25519.signing.publicPem);
    expect((await get(`get_key/${one.identity}?suite=ed25519`)).status).toBe(200);
    expect(refusalOf(await get(`get_key/${one.identity}?suite=rsa-sha256`))).toEqual([404, 'not-found']);
    expect(refusalOf(await get(`get_key/${one.identity}?suite=md5`))).toEqual([400, 'invalid']);
    const server = identityText(vault.server.id);
    for (const suite of SUITES) {
      expect(unbase64((await get(`get_key/${server}?suite=${suite}`)).text)).toBe(
        vault.server.keys[suite].signing.publicPem,
      );
    }
    expect(unbase64((await get(`get_key/${server}`)).text)).toBe(
      vault.server.keys['rsa-sha256'].signing.publicPem,
    );
    expect(refusalOf(await get('get_key/b9d077e223834cf6'))).toEqual([404, 'not-found']);
    expect(refusalOf(await get('get_key/B9D0'))).toEqual([400, 'invalid']);
  });

  test('get_type', async () => {
    await start();
    const one = newDevice();
    await one.register({ type: 'HEX' });
    expect(await get(`get_type/${one.identity}`)).toMatchObject({ status: 200, text: 'HEX' });
    expect(refusalOf(await get('get_type/b9d077e223834cf6'))).toEqual([404, 'not-found']);
  });

  test('c2_check: this server is registered', async () => {
    await start();
    expect((await get(`c2_check/${identityText(vault.server.id)}`)).status).toBe(200);
    expect(refusalOf(await get('c2_check/b9d077e223834cf6'))).toEqual([404, 'not-found']);
    const one = newDevice();
    await one.enrol();
    expect(refusalOf(await get(`c2_check/${one.identity}`))).toEqual([404, 'not-found']);
  });
});

describe('another C2 server', () => {
  const recorded = recording.http.find(
    ({ url, method }) => method === 'POST' && url?.endsWith('/c2/'),
  )!.request!;

  test('is refused without a token from the operator', async () => {
    await start();
    expect(refusalOf(await post('c2/', recorded))).toEqual([403, 'forbidden']);
  });

  test('registers with the token, as recorded; with another one not', async () => {
    await start({ c2Token: new Secret('token') });
    expect(refusalOf(await post('c2/', { ...recorded, signature: inLines('tokem') }))).toEqual([
      403,
      'forbidden',
    ]);
    expect(refusalOf(await get(`c2_check/${recorded['identity']!}`))).toEqual([404, 'not-found']);
    const answer = await post('c2/', recorded);
    expect(answer.status).toBe(201);
    expect(answer.json).toEqual({
      broker: 'mqtt://broker.example', // as in the record
      broker_url: 'mqtts://broker.example:8883',
      key: pemToBody(vault.keyService.keys['rsa-sha256'].signing.publicPem),
    });
    expect((await get(`c2_check/${recorded['identity']!}`)).status).toBe(200);
    const other = { ...recorded, key: pemToBody(device['rsa-sha256'].signing.publicPem) };
    expect(refusalOf(await post('c2/', other))).toEqual([409, 'duplicate']);
  });
});

describe('what the service leaves behind', () => {
  test('files that only the owner reads, and a database that survives a restart', async () => {
    await start();
    const one = newDevice();
    await one.enrol();
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o077, name).toBe(0);
    await restart();
    expect(await registry.isAllowed(one.id)).toBe(true);
    expect(await service.find(one.id)).toMatchObject({ sealPem: device.ed25519.sealing!.publicPem });
  });

  test('no code, token, key or proof in the log, whatever is asked', async () => {
    await start({ requireCode: true, c2Token: new Secret('the-operators-token') });
    const { secret, code } = await service.codes.create({ uses: 5 });
    const one = newDevice();
    await one.register({ code: secret });
    await one.register({ code: secret, type: '<b>' });
    await one.validate();
    await one.access();
    await post('c2/', {
      identity: one.identity,
      key: one.registration.key,
      signature: inLines('the-operators-token'),
    });
    await post('register', `{"code": "${secret}"`);
    await registry.close();
    await one.register({ code: secret });
    isClosed = true;
    expect(logged).toContain('request completed');
    expect(code.usesLeft).toBe(5);
    for (const word of [
      secret,
      'the-operators-token',
      inLines('the-operators-token').trim(),
      'PRIVATE KEY',
      one.registration.key,
    ]) {
      expect(logged).not.toContain(word);
    }
    for (const name of readdirSync(folder))
      expect(readFileSync(join(folder, name)).includes(secret), name).toBe(false);
    expect(await everythingIn(database)).not.toContain(secret);
  });
});

test('the recorded conversation names no identity that we would refuse', () => {
  for (const identity of Object.keys(recording.keys)) expect(parseIdentity(identity)).toBeDefined();
});
