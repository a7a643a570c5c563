import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { systemClock } from '@srup/node';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { makeAuthority } from '../../test/authority.ts';
import { openArtifacts, type Artifacts } from '../artifacts/artifacts.ts';
import type { Store } from '../store/port.ts';
import { openSqlite } from '../store/sqlite/open.ts';
import { createApp } from './app.ts';
import { listenHttps, type HttpsListener } from './listener.ts';
import { openTokens } from '../access/tokens.ts';
import { coreMigrations } from '../store/schema/migrations.ts';
import type { CoreTables } from '../store/schema/tables.ts';

const PATIENCE = { idleMs: 500, bodyMs: 800 };
/** Between two bytes of one who dawdles. */
const STEP_MS = 100;

let folder: string;
let store: Store<CoreTables>;
let artifacts: Artifacts;
let listener: HttpsListener;
let app: FastifyInstance;
let caPem: string;
let secret: string;
const sockets: TLSSocket[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-patience-'));
  const authority = await makeAuthority();
  ({ caPem } = authority);
  store = await openSqlite<CoreTables>(join(folder, 'test.db'), coreMigrations);
  artifacts = await openArtifacts({ folder: join(folder, 'files') }, { store, clock: systemClock });
  const tokens = openTokens(store, systemClock);
  ({ secret } = await tokens.create('me', 'operator'));
  const nothing = {} as never;
  listener = await listenHttps({
    host: '127.0.0.1',
    port: 0,
    credential: await authority.issueServer(['localhost']),
    idleMs: PATIENCE.idleMs,
  });
  app = await createApp({
    listener,
    keyService: async (scope) => {
      scope.post('/register/validate', (request) => ({ heard: request.body }));
    },
    log: pino({ level: 'silent' }),
    setupToken: { matches: () => false, consume: async () => false },
    readiness: async () => [],
    metrics: { contentType: 'text/plain', text: async () => '' },
    ...{ tokens, artifacts, fleet: nothing, orders: nothing, keys: nothing, trail: nothing, broker: nothing },
    version: '0',
    withApi: true,
    bodyMs: PATIENCE.bodyMs,
  });
  listener.serve(app);
});

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

afterAll(async () => {
  await app.close();
  await store.close();
  await rm(folder, { recursive: true });
});

function dial(request: string): TLSSocket {
  const socket = connect({ port: listener.port, host: '127.0.0.1', servername: 'localhost', ca: caPem });
  socket.on('error', () => undefined); // cut off in the middle of a byte
  sockets.push(socket);
  socket.write(`${request}\r\nHost: localhost\r\n`);
  return socket;
}

/** Writes a byte each step until it is cut off, or all are written; then it waits for the end of the connection. */
async function dawdle(head: string, bytes: number): Promise<{ sent: number; answer: string }> {
  const socket = dial(head);
  const ended = buffer(socket).then(String, () => 'cut off');
  socket.write(`Content-Length: ${bytes}\r\n\r\n`);
  let sent = 0;
  while (sent < bytes && !socket.closed) {
    socket.write('1');
    sent += 1;
    await sleep(STEP_MS);
  }
  return { sent, answer: await ended };
}

const JSON_TYPE = 'Content-Type: application/json';
const upload = (authorization: string) =>
  `PUT /api/v1/artifacts?name=a HTTP/1.1\r\nContent-Type: application/octet-stream${authorization}`;

test('a body that trickles is cut off, wherever it goes and whatever was answered already', async () => {
  const heads = [
    `POST /KeyEx/register/validate HTTP/1.1\r\n${JSON_TYPE}`,
    `POST /api/v1/commands HTTP/1.1\r\n${JSON_TYPE}`, // refused: no token
    upload(''), // refused as well
    `POST /nowhere HTTP/1.1\r\n${JSON_TYPE}`,
  ];
  const results = await Promise.all(heads.map((head) => dawdle(head, 100)));
  for (const { sent } of results) expect(sent).toBeLessThan((3 * PATIENCE.bodyMs) / STEP_MS);
});

test('an upload may take as long as it moves', async () => {
  const bytes = (2 * PATIENCE.bodyMs) / STEP_MS;
  const { answer } = await dawdle(upload(`\r\nAuthorization: Bearer ${secret}\r\nConnection: close`), bytes);
  expect(answer).toMatch(/^HTTP\/1.1 201 /);
});

test('an upload that stands still is cut off, and nothing of it stays', async () => {
  const socket = dial(upload(`\r\nAuthorization: Bearer ${secret}`));
  socket.write('Content-Length: 1000\r\n\r\nbegun');
  await buffer(socket).catch(() => undefined);
  await expect.poll(() => readdir(join(folder, 'files', 'incoming'))).toEqual([]);
});

test('a download may take as long as it moves; one that stands still is cut off', async () => {
  const content = randomBytes(16 * 2 ** 20); // more than the buffers in between hold;
  const { digest } = await artifacts.add({
    name: 'large',
    content: (async function* () {
      yield content;
    })(),
  });
  const get = `GET /artifacts/${digest} HTTP/1.1\r\nConnection: close`;
  const begun = performance.now();
  const socket = dial(get);
  socket.write('\r\n');
  const chunks: Buffer[] = [];
  let sinceRest = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    sinceRest += chunk.length;
    if (sinceRest < 2 ** 20) continue;
    sinceRest = 0;
    await sleep(STEP_MS);
  }
  expect(performance.now() - begun).toBeGreaterThan(2 * PATIENCE.idleMs);
  const body = Buffer.concat(chunks).subarray(-content.length);
  expect(createHash('sha256').update(body).digest('hex')).toBe(digest);

  dial(get).write('\r\n'); // and nobody reads
  const connections = () =>
    new Promise((resolve) => {
      app.server.getConnections((_, count) => {
        resolve(count);
      });
    });
  await expect.poll(connections, { timeout: 5_000 }).toBe(1);
  await expect.poll(connections, { timeout: 5_000 }).toBe(0);
});
