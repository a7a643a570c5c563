import { once } from 'node:events';
import {
  connect as connectTcp,
  createServer as createTcpServer,
  type AddressInfo,
  type Socket,
} from 'node:net';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { until } from '@srup/node/testing';
import { manualClock, type ManualClock } from '@srup/protocol/testing';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeAuthority } from '../../test/authority.ts';
import type { Credential } from '../authority/authority.ts';
import { addTurnstile } from './turnstile.ts';

const host = '127.0.0.1';
const MOST = 2;

let credential: Credential;
let ca: string;
/** What a client says first. Without what follows, its handshake is never done. */
let hello: Buffer;

let server: Server;
let clock: ManualClock;
let clients: Socket[];
let errors: string[];
/** The clients that were let in, by the name that they ask for, in order. */
let served: string[];
/** Of handshakes under way. */
let mostAtOnce: number;

beforeAll(async () => {
  const authority = await makeAuthority();
  ca = authority.caPem;
  credential = await authority.issueServer([host]);
  hello = await recordHello();
});

async function recordHello(): Promise<Buffer> {
  const recorder = createTcpServer();
  await once(recorder.listen(0, host), 'listening');
  const accepted = once(recorder, 'connection') as Promise<[Socket]>;
  const client = connect({ host, port: portOf(recorder) }).on('error', () => undefined);
  const [socket] = await accepted;
  const [said] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  recorder.close();
  return said;
}

beforeEach(async () => {
  // Those of the test before can still say their last words: to their own lists.
  const [told, names]: [string[], string[]] = [[], []];
  [clients, errors, served] = [[], told, names];
  clock = manualClock(0);
  server = createServer({ key: credential.key.reveal(), cert: credential.chain });
  // Before the turnstile, so it hears of a connection when that is let in.
  let underWay = 0;
  mostAtOnce = 0;
  server.on('connection', () => {
    underWay += 1;
    mostAtOnce = Math.max(mostAtOnce, underWay);
  });
  addTurnstile(server, { most: MOST, delay: clock.delay });
  server.on('secureConnection', (socket: TLSSocket) => {
    underWay -= 1;
    names.push(String(socket.servername));
    socket.on('error', () => undefined);
  });
  server.on('tlsClientError', (error) => {
    told.push(error.message);
  });
  await once(server.listen(0, host), 'listening');
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await new Promise((resolve) => server.close(resolve));
});

const portOf = (listening: { address: () => unknown }) => (listening.address() as AddressInfo).port;

async function openTcp(said?: Buffer): Promise<Socket> {
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connectTcp(portOf(server), host).on('error', () => undefined);
  clients.push(client);
  const [socket] = await accepted;
  if (said !== undefined) {
    client.write(said);
    await until('the server has heard it', () => socket.bytesRead >= said.length);
  }
  return client;
}

async function openTls(servername: string): Promise<TLSSocket> {
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect({
    host,
    port: portOf(server),
    ca,
    servername,
    checkServerIdentity: () => undefined,
  });
  client.on('error', () => undefined);
  clients.push(client);
  const [socket] = await accepted;
  await until('the server has heard it', () => socket.bytesRead > 0);
  return client;
}

async function fill(): Promise<void> {
  for (let place = 0; place < MOST; place++) await openTcp(hello);
}

test('all are let in, but no more at a time than there are places', async () => {
  const names = Array.from({ length: 20 }, (_, client) => `client-${client}.test`);
  await Promise.all(names.map((name) => openTls(name)));
  await until('all are served', () => served.length === names.length);
  expect(mostAtOnce).toBe(MOST);
  expect(errors).toEqual([]);
});

test('who comes when all places are taken waits for those before it, and is let in in order', async () => {
  await fill();
  for (const name of ['first.test', 'second.test', 'third.test']) await openTls(name);
  expect(served).toEqual([]);
  clients[0]?.destroy();
  await until('all are served', () => served.length === 3);
  expect(served).toEqual(['first.test', 'second.test', 'third.test']);
});

test('those who stall keep nobody out, also when more of them come all the time', async () => {
  await fill();
  await openTls('waiting.test');
  for (let more = 0; more < 9; more++) {
    clock.advance(100);
    await openTcp(hello);
  }
  clock.advance(99);
  expect(served).toEqual([]);
  clock.advance(1);
  await until('it is served', () => served.length === 1);
});

test('one who stalled gives back one place, not another one when it leaves at last', async () => {
  await fill();
  const stalled = [...clients];
  clock.advance(1_000);
  await fill();
  await openTls('waiting.test');
  for (const client of stalled) client.destroy();
  await until('they are gone', () => errors.length === stalled.length);
  expect(served).toEqual([]);
  clock.advance(1_000);
  await until('it is served', () => served.length === 1);
});

test('a client that says nothing is closed after 10 s, and told', async () => {
  const client = await openTcp();
  clock.advance(9_999);
  expect(errors).toEqual([]);
  clock.advance(1);
  await until('it is told', () => errors.length > 0);
  expect(errors).toEqual(['the client began no TLS handshake within 10 s']);
  if (!client.closed) await once(client, 'close');
});

test.each([
  ['leaves', (client: Socket) => client.end(), 'the client left before the TLS handshake began'],
  [
    'breaks off',
    (client: Socket) => client.resetAndDestroy(),
    'the client left before the TLS handshake began',
  ],
  [
    'says too much',
    (client: Socket) => client.write(Buffer.alloc(20_000)),
    'the client sent more than the start of a TLS handshake',
  ],
])('a client that %s while it waits gives its turn to those behind it', async (_, act, why) => {
  await fill();
  const client = await openTcp(hello);
  for (const name of ['next.test', 'last.test']) await openTls(name);
  act(client);
  await until('it is told', () => errors.length > 0);
  expect(errors).toEqual([why]);
  expect(served).toEqual([]); // it had no place, so it leaves none
  clock.advance(1_000);
  await until('those behind it are served', () => served.length === MOST);
  expect(served).toEqual(['next.test', 'last.test']);
});
