import { createServer, type AddressInfo } from 'node:net';
import { Agent, request } from 'undici';
import { expect } from 'vitest';
import { test as base } from '../test/fixtures.ts';
import { startIn } from '../test/http/running.ts';
import type { RunningFleet } from './fleet.ts';
import type { RunningServer, ServerOptions } from './options.ts';

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
  .extend('start', ({ folder }, { onCleanup }) => {
    let server: RunningServer | undefined;
    onCleanup(() => server?.close());
    return async (changes: Partial<ServerOptions> = {}): Promise<RunningServer> => {
      server = undefined;
      server = await startIn(folder, changes);
      return server;
    };
  });

test('the URLs have the ports that the server really listens on', async ({ start }) => {
  const { url, brokerUrl, caPem } = await start();
  expect(url).toMatch(/^https:\/\/localhost:[1-9]\d*$/);
  expect(brokerUrl).toMatch(/^mqtts:\/\/localhost:[1-9]\d*$/);
  expect((await fetchStatus(url, caPem)).broker).toBe(brokerUrl);
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
