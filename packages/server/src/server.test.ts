import { copyFile, mkdir } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pino } from 'pino';
import { Agent, request } from 'undici';
import { expect, vi } from 'vitest';
import { toldOf } from '../test/database.ts';
import { test as base } from '../test/fixtures.ts';
import { startIn } from '../test/http/running.ts';
import type { RunningFleet } from './fleet.ts';
import type { RunningServer, ServerOptions } from './options.ts';
import { filesIn } from './store/databases.ts';
import { openReadOnly } from './store/open.ts';
import type { CoreTables } from './store/schema/tables.ts';

const test = base
  /** A port that another program listens on. */
  .extend('takenPort', async ({}, { onCleanup }): Promise<number> => {
    const taken = createServer();
    onCleanup(() => {
      taken.close();
    });
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    return (taken.address() as AddressInfo).port;
  })
  /** Starts a server in `folder`. The last one that started is closed at the end. */
  .extend('start', ({ folder, database }, { onCleanup }) => {
    let server: RunningServer | undefined;
    onCleanup(() => server?.close());
    return async (changes: Partial<ServerOptions> = {}): Promise<RunningServer> => {
      server = undefined;
      server = await startIn(folder, { ...toldOf(database), ...changes });
      return server;
    };
  });

test('the URLs have the ports that the server really listens on', async ({ start }) => {
  const { url, brokerUrl, caPem } = await start();
  expect(url).toMatch(/^https:\/\/localhost:[1-9]\d*$/);
  expect(brokerUrl).toMatch(/^mqtts:\/\/localhost:[1-9]\d*$/);
  expect((await fetchStatus(url, caPem)).broker).toBe(brokerUrl);
});

test('the folder of another server is refused, and writes nothing into the database', async ({
  start,
  folder,
  database,
}) => {
  await (await start()).close();
  const own = filesIn(folder).core;
  const other = join(folder, 'other');
  const others = filesIn(other).core;
  if (own.kind === 'sqlite' && others.kind === 'sqlite' && database.kind === 'sqlite') {
    await mkdir(dirname(others.file), { recursive: true });
    await copyFile(own.file, others.file);
  }
  const place = database.kind === 'sqlite' ? others : database;
  const countEntries = async () => {
    const reading = openReadOnly<CoreTables>(place);
    const rows = await reading.read.selectFrom('audit').select('seq').execute();
    await reading.close();
    return rows.length;
  };
  const before = await countEntries();
  await expect(startIn(other, toldOf(database))).rejects.toThrow(/belongs to the server/);
  expect(before).toBeGreaterThan(0);
  expect(await countEntries()).toBe(before);
});

test.for([
  ['HTTPS', 'httpsPort'],
  ['MQTT', 'mqttsPort'],
] as const)(
  'a port for %s that is in use leaves nothing open: the next start succeeds',
  async ([, name], { takenPort, start }) => {
    await expect(start({ [name]: takenPort })).rejects.toThrow(/in use|another program|EADDRINUSE/);
    await start();
  },
);

test('one part that fails to close keeps no other open', async ({ start }) => {
  const first = await start();
  const fleet = first.fleet as RunningFleet;
  const stop = fleet.stop.bind(fleet);
  fleet.stop = async () => {
    await stop();
    throw new Error('stuck');
  };
  await expect(first.close()).rejects.toThrow('stuck');
  // The lock of the folder and both ports are free.
  await start({ httpsPort: portOf(first.url), mqttsPort: portOf(first.brokerUrl) });
});

test('of parts that fail to close, the first one is the reason, and the others are logged', async ({
  start,
}) => {
  const lines: string[] = [];
  const log = pino({ level: 'error' }, { write: (line: string) => void lines.push(line) });
  const first = await start({ log });
  const fleet = first.fleet as RunningFleet;
  const stop = fleet.stop.bind(fleet);
  fleet.stop = async () => {
    await stop();
    throw new Error('the fleet is stuck');
  };
  const closed = vi.spyOn(DatabaseSync.prototype, 'close').mockImplementationOnce(function (
    this: DatabaseSync,
  ) {
    closed.mockRestore();
    this.close();
    throw new Error('the database is stuck');
  });
  await expect(first.close()).rejects.toThrow('the fleet is stuck');
  expect(lines.map((line) => (JSON.parse(line) as { err: { message: string } }).err.message)).toEqual([
    'the database is stuck',
  ]);
  await start();
});

function portOf(url: string): number {
  return Number(new URL(url).port);
}

async function fetchStatus(url: string, ca: string): Promise<{ broker: string }> {
  const dispatcher = new Agent({ connect: { ca } });
  const { body } = await request(`${url}/KeyEx/register/status`, { dispatcher });
  const status = (await body.json()) as { broker: string };
  await dispatcher.close();
  return status;
}
