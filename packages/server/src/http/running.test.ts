import { request } from 'undici';
import { expect } from 'vitest';
import { realDelay, systemClock } from '@srup/node';
import { test as withStore } from '../../test/fixtures.ts';
import { test as base } from '../../test/http/running.ts';
import { createReadiness } from '../metrics/readiness.ts';

const test = base.extend('get', ({ running: { server, client } }) => {
  return async (path: string, authorization?: string): Promise<{ status: number; text: string }> => {
    const { statusCode, body } = await request(`${server.url}${path}`, {
      dispatcher: client,
      headers: authorization === undefined ? {} : { authorization },
    });
    return { status: statusCode, text: await body.text() };
  };
});

test('everybody may ask whether the server is alive and ready', async ({ get }) => {
  expect(await get('/healthz')).toEqual({ status: 200, text: '{"status":"ok"}' });
  expect(await get('/readyz')).toEqual({ status: 200, text: '{"status":"ready","reasons":[]}' });
});

test('they are described with the rest, at the root', async ({ get }) => {
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

test('metrics need a token', async ({ get, running }) => {
  const { secret } = await running.server.tokens.create('prometheus', 'viewer');
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

withStore('a store that can not be written, and a broker that is away, are named', async ({ store }) => {
  let isConnected = true;
  let now = 0;
  const failure: { at?: number } = {};
  const readiness = createReadiness({
    store,
    clock: { ...systemClock, monotonic: () => now },
    delay: realDelay,
    isConnected: () => isConnected,
    failedAt: () => failure.at,
    askKeyService: () => Promise.resolve(),
  });
  expect(await readiness()).toEqual([]);
  isConnected = false;
  expect(await readiness()).toEqual([expect.stringMatching(/broker is not connected/)]);
  isConnected = true;
  failure.at = 1_000;
  now = 30_000;
  expect(await readiness()).toEqual([expect.stringMatching(/could not store all.*disk full/)]);
  now = 40_000;
  expect(await readiness()).toEqual([]);
  await store.close();
  expect(await readiness()).toEqual([]); // asked a moment ago
  now = 50_000;
  expect(await readiness()).toEqual([expect.stringMatching(/database cannot be written/)]);
});
