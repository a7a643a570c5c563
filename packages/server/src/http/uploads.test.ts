import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { systemClock } from '@srup/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTokens } from '../access/tokens.ts';
import { openArtifacts, type Artifacts, type Upload } from '../artifacts/artifacts.ts';
import type { Store } from '../store/port.ts';
import { coreMigrations } from '../store/schema/migrations.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { openSqlite } from '../store/sqlite/open.ts';
import { createApp } from './app.ts';

const LIMIT = 1000;
/** An upload with this name finds the disk full. */
const FULL = 'full';

let folder: string;
let store: Store<CoreTables>;
let artifacts: Artifacts;
let app: FastifyInstance;
let url: string;
let secret: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-uploads-'));
  store = await openSqlite<CoreTables>(join(folder, 'test.db'), coreMigrations);
  artifacts = await openArtifacts(
    { folder: join(folder, 'files'), limitBytes: LIMIT },
    { store, clock: systemClock },
  );
  const tokens = openTokens(store, systemClock);
  ({ secret } = await tokens.create('me', 'operator'));
  const server = createServer();
  const nothing = {} as never;
  app = await createApp({
    listener: {
      server: server as unknown as Server, // without TLS
      close: async () => void server.close(),
    },
    keyService: async () => undefined,
    log: pino({ level: 'silent' }),
    setupToken: { matches: () => false, consume: async () => false },
    readiness: async () => [],
    metrics: { contentType: 'text/plain', text: async () => '' },
    artifacts: { ...artifacts, add },
    ...{ tokens, fleet: nothing, orders: nothing, keys: nothing, trail: nothing, broker: nothing },
    version: '0',
    withApi: true,
  });
  server.on('request', (request, response) => {
    app.routing(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/artifacts`;
});

afterAll(async () => {
  await app.close();
  await store.close();
  await rm(folder, { recursive: true });
});

function add(upload: Upload) {
  return artifacts.add(upload.name === FULL ? { ...upload, content: untilFull() } : upload);
}

async function* untilFull(): AsyncIterable<Uint8Array> {
  yield new Uint8Array(1);
  throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
}

test.each([
  ['too large', 'name=x', LIMIT + 1, 413, 'too-large', /at most 1000 bytes/],
  ['empty', 'name=x', 0, 400, 'empty', /nothing to install/],
  ['of another digest', `name=x&digest=${'0'.repeat(64)}`, 3, 422, 'digest-mismatch', /has the digest/],
  ['more than the disk holds', `name=${FULL}`, 3, 507, 'no-space', /disk is full/],
])('an upload that is %s is refused with its own status', async (_, query, bytes, status, error, message) => {
  const answer = await fetch(`${url}?${query}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/octet-stream' },
    body: new Uint8Array(bytes),
  });
  expect(answer.status).toBe(status);
  expect(await answer.json()).toEqual({ error, message: expect.stringMatching(message) as string });
  expect(await readdir(join(folder, 'files'), { recursive: true })).toEqual(['incoming']);
});
