/** Vault, key service and broker together, wired as the server wires them: from registration to revocation. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import {
  connectMqtt,
  fetchPinnedCa,
  generateKeys,
  newIdentity,
  pemToBody,
  proveText,
  Secret,
  systemClock,
  systemRandom,
  type MqttLink,
} from '@srup/node';
import { until } from '@srup/node/testing';
import {
  deviceTopic,
  identityText,
  joinFilter,
  joinTopic,
  mqttClientId,
  type Identity,
  type SuiteName,
} from '@srup/protocol';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makePair, requestCertificate } from '../../test/authority.ts';
import { keyServiceRoutes } from '../keyservice/http/routes.ts';
import { openRegistry, type Registry } from '../keyservice/registry.ts';
import { filesIn } from '../store/databases.ts';
import { createKeyService, type KeyService } from '../keyservice/service.ts';
import { openVault, type Vault } from '../vault/vault.ts';
import { startBroker, type RunningBroker } from './broker.ts';
import { controlEmbedded } from './embedded.ts';
import type { BrokerRefusal } from './refusals.ts';

let folder: string;
let vault: Vault;
let registry: Registry;
let service: KeyService;
let broker: RunningBroker;
let app: FastifyInstance;
let url: string;
let ca: string;
const refusals: BrokerRefusal[] = [];
const links: MqttLink[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'srup-enrolled-'));
  const warn = (message: string): void => expect.unreachable(message);
  const [clock, random] = [systemClock, systemRandom];
  vault = await openVault({ folder, names: [] }, { clock, random, warn });
  const { server, keyService, credentials } = vault;
  const { authority, keys } = keyService;
  registry = await openRegistry(
    { folder: keyService.folder, database: filesIn(folder).keys },
    { authority, clock, random },
  );
  const { crl } = registry.lists.newest();
  broker = await startBroker(
    {
      host: '127.0.0.1',
      port: 0,
      serverId: server.id,
      tls: { credential: credentials.tls(), ca: authority.caPem, crl },
    },
    {
      clock,
      isAllowed: (id) => registry.isAllowed(id),
      onRefusal: (refusal) => refusals.push(refusal),
      warn,
    },
  );
  const brokerUrl = `mqtts://127.0.0.1:${broker.port}`;
  const control = controlEmbedded(broker, { url: brokerUrl, serverUrl: brokerUrl, startedAt: clock.now() });
  service = createKeyService(
    { serverId: server.id, serverKeys: server.publicKeys, keys, requireCode: false },
    { registry, authority, broker: control, clock, random },
  );
  const { key, chain } = credentials.tls();
  app = Fastify({ serverFactory: (handler) => createServer({ key: key.reveal(), cert: chain }, handler) });
  await app.register(keyServiceRoutes(service), { prefix: '/KeyEx' });
  url = (await app.listen({ host: '127.0.0.1', port: 0 })).replace(/^http:/, 'https:');
  ca = await fetchPinnedCa(url, keyService.authority.fingerprint); // P 8.6
});

afterAll(async () => {
  await Promise.all(links.map((link) => link.close()));
  await app.close();
  await broker.close();
  await registry.close();
  await vault.close();
  rmSync(folder, { recursive: true });
});

async function post(name: string, body: unknown): Promise<Record<string, string>> {
  const call = request(`${url}/KeyEx/register/${name}`, { method: 'POST', ca, agent: false });
  call.end(JSON.stringify(body));
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  const answer = await text(response);
  expect(response.statusCode, answer).toBeLessThan(300);
  return JSON.parse(answer) as Record<string, string>;
}

async function enrol(
  suite: SuiteName,
): Promise<{ id: Identity; brokerUrl: string; key: Secret; cert: string }> {
  const id = newIdentity(systemRandom);
  const identity = identityText(id);
  const { signing, sealing } = await generateKeys(suite);
  const { broker_url: brokerUrl } = await post('register', {
    identity,
    type: 'pump',
    key: pemToBody(signing.publicPem),
    ...(sealing && { sealKey: pemToBody(sealing.publicPem) }),
  });
  await post('validate', { identity, signature: proveText(signing.privatePem, identity) });
  const pair = makePair();
  const pem = await requestCertificate(identity, pair);
  const { certificate } = await post('access', {
    identity,
    csr: Buffer.from(pem).toString('base64'),
    signature: proveText(signing.privatePem, pem),
  });
  const key = new Secret(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
  return { id, brokerUrl: brokerUrl!, key, cert: Buffer.from(certificate!, 'base64').toString() };
}

interface Session {
  readonly link: MqttLink;
  readonly got: string[];
  readonly lost: string[];
}

async function connect(wish: {
  id: Identity;
  brokerUrl: string;
  key: Secret;
  cert: string;
}): Promise<Session> {
  const { id, brokerUrl, key, cert } = wish;
  const backoff = { leastMs: 20, mostMs: 50 };
  const link = connectMqtt({
    url: brokerUrl,
    clientId: mqttClientId(id),
    ca,
    cert,
    key,
    clean: false,
    backoff,
  });
  links.push(link);
  const session: Session = { link, got: [], lost: [] };
  link.onMessage = async ({ topic, bytes }) =>
    void session.got.push(`${topic} ${Buffer.from(bytes).toString()}`);
  link.onDisconnect = (reason) => session.lost.push(reason);
  await new Promise<void>(
    (resolve) =>
      (link.onConnect = () => {
        resolve();
      }),
  );
  return session;
}

test('threat 23: a revoked device is out, wherever it is; its sibling notices nothing', async () => {
  const server = vault.server.id;
  const { key, chain } = vault.credentials.mqtt();
  const c2 = await connect({ id: server, brokerUrl: `mqtts://127.0.0.1:${broker.port}`, key, cert: chain });
  const [victim, sibling] = [await enrol('ed25519'), await enrol('rsa-sha256')];
  await c2.link.subscribe([joinFilter(server), deviceTopic(victim.id), deviceTopic(sibling.id)]);
  const sessions = { victim: await connect(victim), sibling: await connect(sibling) };
  await sessions.victim.link.subscribe([deviceTopic(victim.id)]);
  await sessions.sibling.link.subscribe([deviceTopic(sibling.id)]);

  const hello = new TextEncoder().encode('hello');
  await sessions.victim.link.publish(joinTopic(server, victim.id), hello);
  await c2.link.publish(deviceTopic(victim.id), hello);
  await c2.link.publish(deviceTopic(sibling.id), hello);
  await until(
    'greetings',
    () => sessions.victim.got.length === 1 && sessions.sibling.got.length === 1 && c2.got.length === 3,
  );
  expect(refusals).toEqual([]);

  // In flight: taken, not acknowledged. It would be delivered again.
  sessions.victim.link.onMessage = () => new Promise(() => undefined);
  await c2.link.publish(deviceTopic(victim.id), new TextEncoder().encode('in flight'));
  await until('a message in flight', () => broker.stats().waiting.messages > 0);

  await service.revoke(victim.id);
  await until('end of the connection', () => sessions.victim.lost.length > 0);
  await until('refused reconnection', () => sessions.victim.lost.length > 3);
  expect(new Set(refusals.map(({ code }) => code))).toEqual(new Set(['BROKER_TLS']));
  expect(refusals[0]?.detail).toMatch(/REVOKED/);

  // Queued: for the session that is no more.
  await c2.link.publish(deviceTopic(victim.id), new TextEncoder().encode('queued'));
  await c2.link.publish(deviceTopic(sibling.id), new TextEncoder().encode('still here'));
  await until('message to the sibling', () => sessions.sibling.got.length === 2);
  await until('empty queues', () => broker.stats().waiting.messages === 0);
  expect(broker.stats()).toMatchObject({ connected: 2, sessions: 2 });
  expect(sessions.sibling.lost).toEqual([]);
  expect((await service.find(victim.id))?.state).toBe('revoked');
});
