/**
 * The scripted peers, given the keys, tokens and codes of the recorded run, hold the same conversation: byte for byte
 * where pySRUP is not random, and with the same calls to the key service.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'vitest';
import { makeCa } from '../../packages/node/test/certificates.ts';
import { SESSION, type SessionEvent } from '../vectors/files.ts';
import { startReferenceDevice, type ReferenceDevice } from './reference/device.ts';
import {
  enrolDevice,
  enrolServer,
  getKey,
  getType,
  httpTrusting,
  makeKeys,
  type Http,
} from './reference/key-exchange.ts';
import { startReferenceKeyService, type ReferenceKeyService } from './reference/key-service.ts';
import { makeBus, type Bus } from './reference/memory-link.ts';
import { open } from './reference/seal.ts';
import { startReferenceServer, type ReferenceServer } from './reference/server.ts';
import { isSignedBy, readNote, writeNote } from './reference/wire.ts';
import { test } from '../support/fixtures.ts';

const PLAYED = ['srv', 'dev', 'd2', 'd3', 'd4'];
const IDS = new Map(PLAYED.map((name) => [name, SESSION.identities[name]!]));
const NAMES = new Map([...IDS].map(([name, id]) => [id, name]));
const idOf = (name: string): string => IDS.get(name)!;
const keysOf = (id: string) => SESSION.keys[id]!;
const SERVER = idOf('srv');

/** Whether the played parties did it; the rest of the run is guests of another server, and code of the harness. */
const isPlayed = ({ event, client, topic }: Partial<SessionEvent>): boolean =>
  event !== 'exception' &&
  NAMES.has(client?.split(': ')[1] ?? '') &&
  topic?.includes(SESSION.identities['sd']!) !== true;
const recorded = SESSION.mqtt.filter(isPlayed);
const published = recorded.filter(({ event }) => event === 'publish');

/** New tokens of somebody, in their order. */
function tokensOf(id: string): () => string {
  const seen = new Set<string>();
  const own: string[] = [];
  for (const { senderId, fields } of published) {
    const { text } = fields['token'] as { text: string };
    if (!seen.has(text) && senderId === id) own.push(text);
    seen.add(text);
  }
  return () => own.shift() ?? 'no token was recorded';
}

const codes = published.flatMap(({ type, decrypted }) =>
  type === 'HM_JOIN_RESP' || type === 'OBS_JOIN_RESP' ? [decrypted!.text] : [],
);

const initiated = published
  .filter(({ type }) => type === 'INITIATE')
  .map(({ hex }) => readNote(bytesOf(hex)));
const [firmware, wrong, missing, unreachable] = initiated.map(
  ({ body }) => body as Record<'url' | 'digest', string>,
);
let bus: Bus;
let service: ReferenceKeyService;
let http: Http;
let server: ReferenceServer;
const parties: { readonly idle: () => Promise<void> }[] = [];

test.beforeEach(async ({ ground }) => {
  parties.length = 0;
  bus = makeBus();
  const ca = await makeCa();
  const { certPem, key } = await ca.issue({ commonName: 'key service', hosts: ['localhost'] });
  const tls = { key: key.reveal(), certificate: certPem };
  const broker = 'mqtt://broker.home';
  service = await startReferenceKeyService({ tls, broker, c2: SERVER, keys: makeKeys(), ca });
  ground.later(() => service.close());
  http = httpTrusting(ca.pem);
});

async function startServer(): Promise<ReferenceServer> {
  const keys = keysOf(SERVER);
  const self = { id: SERVER, keys, newToken: tokensOf(SERVER) };
  const waiting = [...codes];
  const started = await startReferenceServer(self, {
    openLink: bus.openLink,
    getKey: (id) => getKey(http, service.url, id),
    getType: (id) => getType(http, service.url, id),
    register: () => enrolServer(http, service.url, { id: SERVER, keys, token: 'token' }),
    onJoinRequest: (to, device) => {
      if (device === idOf('d2')) to.refuse(device);
      else to.accept(device);
    },
    newNonce: () => waiting.shift()!,
  });
  parties.push(started);
  return started;
}

async function startDevice(name: string, type: string): Promise<ReferenceDevice> {
  const id = idOf(name);
  const enrolled = await enrolDevice(http, service.url, type, { id, keys: keysOf(id), tlsKeys: makeKeys() });
  expect(enrolled).toMatchObject({ server: SERVER, broker: 'mqtt://broker.home' });
  const named = published.find(
    ({ senderId, fields }) =>
      senderId === id &&
      (fields['dataId'] as { text?: string } | undefined)?.text === 'IDENTIFICATION_RESPONSE',
  );
  const device = await startReferenceDevice(
    { ...enrolled, newToken: tokensOf(id) },
    {
      openLink: bus.openLink,
      download: (url) =>
        Promise.resolve(
          url === firmware!.url ? firmware!.digest : url === unreachable!.url ? undefined : 404,
        ),
      getKey: (whose) => getKey(http, service.url, whose),
    },
    (named?.fields['data'] as { text: string } | undefined)?.text,
  );
  parties.push(device);
  return device;
}

/** Until nobody has anything more to say. */
async function settle(): Promise<void> {
  for (let before = -1; before !== bus.events.length;) {
    before = bus.events.length;
    await Promise.all(parties.map(({ idle }) => idle()));
    await turn();
  }
}

async function doing(...steps: (() => unknown)[]): Promise<void> {
  for (const step of steps) {
    await step();
    await settle();
  }
}

test('they say what was recorded, message by message', async () => {
  server = await startServer();
  const dev = await startDevice('dev', 'simple');
  const device = dev.id;
  await doing(
    () => {
      dev.join();
    },
    () => {
      server.idRequest(device);
    },
    () => server.action(device, 255),
    () => {
      dev.sendData('S', Buffer.from('hello'));
    },
    () => {
      dev.sendData('F', Buffer.from('0000000000803540', 'hex'));
    },
    () => {
      dev.sendData('I', Buffer.from('f9ffffff', 'hex'));
    },
    () => {
      server.data(device, 'Delay', Buffer.from('000000000000f83f', 'hex'));
    },
    ...[firmware!, wrong!, missing!, unreachable!].map(
      ({ url, digest }) =>
        () =>
          server.initiate(device, url, digest),
    ),
  );
  // A number that nobody signed is believed, and the genuine command after it is not.
  const forged = { type: 'ACTION', sequence: 2n ** 63n - 1n, sender: BigInt(`0x${SERVER}`), token: 'x' };
  const byAnother = writeNote({ ...forged, body: { actionId: 1 } }, keysOf(idOf('d2')).privateKeyPem);
  await doing(
    () => {
      bus.inject(`SRUP/${device}`, byAnother);
    },
    () => server.action(device, 1),
  );
  expect(String(dev.counters.get(SERVER))).toBe(SESSION.observations['counter after forgery']);
  expect(dev.dropped.map(({ why }) => why)).toEqual(['signature', 'sequence']);
  dev.counters.set(SERVER, 19n);
  expect([dev.counters.get(SERVER), server.counters.get(device)].map(Number)).toEqual(
    SESSION.observations['counters before crossing'],
  );
  await doing(() => {
    bus.hold();
    dev.sendData('X', Buffer.from('cross'));
    server.action(device, 2);
    bus.release();
  });
  expect([...dev.dropped, ...server.dropped].map(({ why }) => why)).toEqual([
    'signature',
    'sequence',
    'sequence',
    'sequence',
  ]);
  let token = '';
  await doing(
    () => (token = server.initiate(device, firmware!.url, firmware!.digest)),
    () => {
      server.activate(device, token);
    },
    () => {
      dev.resign();
    },
  );
  expect(dev.news.filter(({ told }) => told === 'update')).toHaveLength(3); // the last one twice

  const d2 = await startDevice('d2', 'HEX');
  await doing(
    () => {
      d2.join();
    },
    () => d2.humanJoin(),
    () => server.humanJoinResponse(d2.id),
    () => {
      server.accept(d2.id, true);
    },
  );
  const d3 = await startDevice('d3', 'OBS');
  let nonce = '';
  await doing(
    () => d3.observedJoin(d2.id),
    () => server.observedJoinResponse(d3.id),
    // As published, the OBSERVE_REQ of the first try could not be made; its number was used.
    () => server.counters.set(d2.id, 8n),
    () => d3.observedJoin(d2.id),
    () => (nonce = server.observedJoinResponse(d3.id)),
    () => {
      server.observe(d2.id, d3.id, nonce);
    },
    () => {
      d2.observed(0x60);
    },
    () => {
      d3.deregister();
    },
    () => {
      server.deregister(d2.id);
    },
  );
  expect(d2.news).toContainEqual({ told: 'observe', device: d3.id, nonce });
  expect([d2.server(), d3.server()]).toEqual([undefined, undefined]);
  const d4 = await startDevice('d4', 'simple');
  await doing(() => server.joinCommand(d4.id));
  expect(d4.server()).toBe(SESSION.observations['join command: device server_id']);

  const said = bus.events.map(({ event, client, topic, bytes }) => shownEvent(event, client, topic, bytes));
  expect(said).toEqual(
    recorded.map(({ event, client, topic, hex }) =>
      shownEvent(event, client, topic, event === 'publish' ? bytesOf(hex) : undefined),
    ),
  );
  expect(service.calls.map(shownCall)).toEqual(recordedCalls());
});

/** Who is named by what; sealed messages by what they hold, as their keys are random. */
function shownEvent(event: string, client: string, topic: string | undefined, bytes?: Buffer): unknown {
  const shown = { event, client, ...(topic !== undefined && { topic }) };
  if (bytes === undefined) return shown;
  const note = readNote(bytes);
  const { type, sequence, token, body } = note;
  const sealed = body['encrypted'];
  if (sealed === undefined) return { ...shown, type, hex: bytes.toString('hex') };
  const sender = note.sender.toString(16);
  expect(isSignedBy(note, keysOf(sender).publicKeyPem)).toBe(true);
  const receiver = topic!.split('/').at(-1)!;
  const code = open(sealed as Buffer, keysOf(receiver).privateKeyPem);
  const bytesSealed = (sealed as Buffer).length;
  return {
    ...shown,
    type,
    sequence,
    sender,
    token,
    code,
    bytesSealed,
    ...(body['joiningDeviceId'] !== undefined && { joining: body['joiningDeviceId'] }),
  };
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly request?: Readonly<Record<string, string>>;
  readonly response: string;
}

/** The form of a call: names, and how each text is broken into lines. What is random or ours is left out. */
function shownCall({ method, path, status, request = {}, response }: Call): unknown {
  return {
    ...{ method, path, status },
    request: Object.entries(request).map(([name, text]) => [name, formOf(name, text)]),
    response: response.startsWith('{')
      ? Object.entries(JSON.parse(response) as Record<string, string>).map(([name]) => name)
      : formOf('', response),
  };
}

function formOf(name: string, text: string): unknown {
  if (name === 'csr') return { lines: linesOf(text), subject: subjectOf(text) };
  return name === 'signature' ? linesOf(text) : text;
}

/** Version and subject of a request, as DER: they follow the heads of its two sequences. */
function subjectOf(csr: string): string {
  const pem = Buffer.from(csr, 'base64').toString();
  const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64').subarray(8);
  return der.toString('hex', 0, 5 + (der[4] ?? 0));
}

/** A signature has one length, a request nearly. */
function linesOf(text: string): string {
  return [
    ...new Set(text.split('\n').map(({ length }) => (length === 76 || length === 0 ? length : 'last'))),
  ].join();
}

function recordedCalls(): unknown[] {
  let phase = '';
  const calls: unknown[] = [];
  for (const call of SESSION.http) {
    if ('phase' in call) phase = call.phase;
    const path = /^https:\/\/home\.example(.*)$/.exec(call.url ?? '')?.[1];
    if (path === undefined || /unpatched|syndication|ordinary device/.test(phase)) continue;
    calls.push(shownCall({ ...(call as Omit<Call, 'path'>), path }));
  }
  return calls;
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}
