import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '@srup/node';
import type { RunningServer } from '../options.ts';
import { startServer } from '../server.ts';
import { openSqlite } from '../store/sqlite/open.ts';
import { coreMigrations as coreMigrations } from '../store/schema/migrations.ts';
import type { CoreTables as CoreTables } from '../store/schema/tables.ts';
import { createReadiness } from '../metrics/readiness.ts';

let folder: string;
let server: RunningServer;
let client: Agent;
let secret: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-operation-'));
  const log = pino({ level: 'silent' });
  server = await startServer({ folder: join(folder, 'server'), httpsPort: 0, mqttsPort: 0, log });
  client = new Agent({ connect: { ca: server.caPem } });
  ({ secret } = await server.tokens.create('prometheus', 'viewer'));
});

afterAll(async () => {
  await client.close();
  await server.close();
  await rm(folder, { recursive: true });
});

async function get(path: string, authorization?: string): Promise<{ status: number; text: string }> {
  const { statusCode, body } = await request(`${server.url}${path}`, {
    dispatcher: client,
    headers: authorization === undefined ? {} : { authorization },
  });
  return { status: statusCode, text: await body.text() };
}

test('everybody may ask whether the server is alive and ready', async () => {
  expect(await get('/healthz')).toEqual({ status: 200, text: '{"status":"ok"}' });
  expect(await get('/readyz')).toEqual({ status: 200, text: '{"status":"ready","reasons":[]}' });
});

test('they are described with the rest, at the root', async () => {
  const { paths } = JSON.parse((await get('/api/v1/openapi.json')).text) as {
    paths: Record<string, { get: { 'x-role'?: string; summary: string; servers?: unknown } }>;
  };
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    expect(paths[path]?.get).toMatchObject({
      servers: [{ url: '/' }],
      summary: expect.any(String) as string,
    });
  }
  expect(paths['/metrics']?.get['x-role']).toBe('viewer');
  expect(paths['/devices']?.get.servers).toBeUndefined();
});

test('metrics need a token', async () => {
  expect((await get('/metrics')).status).toBe(401);
  const { status, text } = await get('/metrics', `Bearer ${secret}`);
  expect(status).toBe(200);
  const value = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  expect(value('srup_broker_link_up')).toBe(1);
  expect(value('srup_broker_connections')).toBe(1);
  expect(value('srup_outbox_messages')).toBe(0);
  expect(value('srup_commit_duration_seconds_count')).toBeGreaterThanOrEqual(0);
  expect(value('process_resident_memory_bytes')).toBeGreaterThan(0);
  expect(value('srup_certificate_expiry_timestamp_seconds{certificate="tls"}')).toBeGreaterThan(
    Date.now() / 1000,
  );
  expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
  expect(text).toMatch(/^srup_build_info{version="[^"]+"} 1$/m);
});

test('a store that can not be written, and a broker that is away, are named', async () => {
  const store = await openSqlite<CoreTables>(join(folder, 'other.db'), coreMigrations);
  let isConnected = true;
  let now = 0;
  const readiness = createReadiness({
    store,
    clock: { ...systemClock, monotonic: () => now },
    isConnected: () => isConnected,
    askKeyService: () => Promise.resolve(),
  });
  expect(await readiness()).toEqual([]);
  isConnected = false;
  expect(await readiness()).toEqual([expect.stringMatching(/broker is not connected/)]);
  isConnected = true;
  await store.close();
  expect(await readiness()).toEqual([]); // asked a moment ago
  now = 10_000;
  expect(await readiness()).toEqual([expect.stringMatching(/database cannot be written/)]);
});
