import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunningFleet } from './fleet.ts';
import type { RunningServer, ServerOptions } from './options.ts';
import { startServer } from './server.ts';

let folder: string;
let taken: Server;
let port: number;
let server: RunningServer | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-server-'));
  taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  ({ port } = taken.address() as AddressInfo);
});

afterEach(async () => {
  await server?.close();
  server = undefined;
  taken.close();
  await rm(folder, { recursive: true });
});

async function start(changes: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const log = pino({ level: 'silent' });
  server = await startServer({ folder, httpsPort: 0, mqttsPort: 0, log, ...changes });
  return server;
}

test('the URLs have the ports that the server really listens on', async () => {
  const { url, brokerUrl } = await start();
  expect(url).toMatch(/^https:\/\/localhost:[1-9]\d*$/);
  expect(brokerUrl).toMatch(/^mqtts:\/\/localhost:[1-9]\d*$/);
  expect((await fetchStatus(url)).broker).toBe(brokerUrl);
});

test.each([
  ['HTTPS', { httpsPort: true }],
  ['MQTT', { mqttsPort: true }],
])('a port for %s that is in use leaves nothing open: the next start succeeds', async (_, which) => {
  const ports = Object.fromEntries(Object.keys(which).map((name) => [name, port]));
  await expect(start(ports)).rejects.toThrow(/in use|another program|EADDRINUSE/);
  await start();
});

test('one part that fails to close keeps no other open', async () => {
  const first = await start();
  const fleet = first.fleet as RunningFleet;
  const stop = fleet.stop.bind(fleet);
  fleet.stop = async () => {
    await stop();
    throw new Error('stuck');
  };
  server = undefined;
  await expect(first.close()).rejects.toThrow('stuck');
  // The lock of the folder and both ports are free.
  await start({ httpsPort: portOf(first.url), mqttsPort: portOf(first.brokerUrl) });
});

function portOf(url: string): number {
  return Number(new URL(url).port);
}

async function fetchStatus(url: string): Promise<{ broker: string }> {
  const dispatcher = new Agent({ connect: { ca: server?.caPem ?? '' } });
  const { body } = await request(`${url}/KeyEx/register/status`, { dispatcher });
  const status = (await body.json()) as { broker: string };
  await dispatcher.close();
  return status;
}
