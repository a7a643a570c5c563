import { describe, expect } from 'vitest';
import { canRun, prepareSiteOn } from '../support/brokers.ts';
import { startDevice, untilJoined } from '../support/device.ts';
import { test as base } from '../support/fixtures.ts';
import { credentialOf, credentialOfServer, intrude } from '../support/intruder.ts';
import type { Mosquitto } from '../support/mosquitto.ts';
import type { Site } from '../support/server.ts';
import { until } from '../support/wait.ts';

interface Exchange {
  readonly exchange: { readonly phase: string };
}

/** Rounds of the test. With `persistent_client_expiration`, Mosquitto 2.0.11 dies within about ten. */
const ROUNDS = 20;
const AWAY = 'the broker is away';

const test = base
  /** A Mosquitto that does not run yet, and how to start its server. */
  .extend('prepared', ({ ground }) => prepareSiteOn(ground))
  .extend('mosquitto', ({ prepared }): Mosquitto => prepared.external)
  .extend('startServer', ({ prepared }) => prepared.start);

describe.skipIf(!canRun('mosquitto'))('with Mosquitto as the broker', () => {
  test('Mosquitto is killed: orders from the meantime are carried out once it is back', async ({
    ground,
    mosquitto,
    startServer,
  }) => {
    await mosquitto.start();
    const site = await startServer();
    const device = await startDevice(ground, site, 'pump');
    const { id } = await untilJoined(site, device);

    await mosquitto.kill();
    await until('the server has seen it', () => site.process.stderr().includes(AWAY));
    const ordered = await site.ctl('action', id, 'self-test');
    expect(ordered, ordered.stderr).toMatchObject({ code: 0 });
    expect(await phasesOfActions(site, id)).toEqual(['sent']);
    await mosquitto.start();
    await until('the action is done', async () => (await phasesOfActions(site, id)).includes('done'));
    await act(site, id);
    expect(await phasesOfActions(site, id)).toEqual(['done', 'done']);
  });

  test('a server whose broker is away starts, reports that, and continues when it appears', async ({
    ground,
    mosquitto,
    startServer,
  }) => {
    const site = await startServer();
    await until('the server says so', () => site.process.stderr().includes(AWAY));
    await mosquitto.start();
    await until('the server listens', () => mosquitto.log().includes(`SUBACK to ${mosquitto.serverId}`));
    const device = await startDevice(ground, site, 'pump');
    const { id } = await untilJoined(site, device);
    await act(site, id);
  });

  test('its lists are read again and again while a device is away: its session is kept, and Mosquitto runs on', async ({
    ground,
    mosquitto,
  }) => {
    await mosquitto.start();
    const credential = await credentialOfServer(ground);
    const comeAndGo = async () => {
      const guest = await intrude(ground, { brokerUrl: mosquitto.url }, credential, mosquitto.serverId);
      expect(guest.reasons).toEqual([]);
      await guest.link.subscribe(['SRUP/1']);
      await guest.link.close();
    };
    for (let n = 0; n < ROUNDS; n++) {
      await comeAndGo();
      await mosquitto.reload();
    }
    await comeAndGo();
    expect(mosquitto.log().match(/Sending CONNACK to \S+ \(1, 0\)/g)).toHaveLength(ROUNDS);
  });

  test('a certificate speaks for its identity only', async ({ ground, mosquitto, startServer }) => {
    await mosquitto.start();
    const site = await startServer();
    const [victim, rogue] = [
      await startDevice(ground, site, 'pump'),
      await startDevice(ground, site, 'rogue'),
    ];
    const { id } = await untilJoined(site, victim);
    const { id: rogueId } = await untilJoined(site, rogue);
    // Mosquitto knows all of them by their certificates alone.
    for (const user of [mosquitto.serverId, id, rogueId]) {
      await until(`Mosquitto knows ${user} by its certificate`, () =>
        mosquitto.log().includes(`as ${user} (`),
      );
    }
    await rogue.process.stop();

    // A client with the victim's client id can't disconnect it, publish for it, or read its messages.
    const stolen = await credentialOf(rogue);
    const intruder = await intrude(ground, site, stolen, `SRUP Client: ${id}`);
    await intruder.link.subscribe([`SRUP/${rogueId}`, `SRUP/${id}`, 'SRUP/#']);
    await intruder.link.publish(`SRUP/${id}`, Uint8Array.of(1));
    const denied = new RegExp(`Denied PUBLISH from ${rogueId} .*'SRUP/${id}'`);
    await until('Mosquitto says that it was denied', () => denied.test(mosquitto.log()));
    await act(site, id);
    await intruder.link.publish(`SRUP/${rogueId}`, Uint8Array.of(2));
    await until('its own message is heard', () => intruder.heard.length > 0);
    expect(new Set(intruder.heard.map(({ topic }) => topic))).toEqual(new Set([`SRUP/${rogueId}`]));
    expect(victim.process.stderr()).not.toContain('not connected to the broker');
    await intruder.link.close();
  });
});

async function act(site: Site, id: string): Promise<void> {
  const done = await site.ctl('action', id, 'self-test', '--wait');
  expect(done, done.stderr).toMatchObject({ code: 0 });
  expect(done.stdout).toContain('done');
}

async function phasesOfActions(site: Site, id: string): Promise<string[]> {
  const all = await site.api((api) => api.list<Exchange>('/exchanges', { device: id, kind: 'action' }));
  return all.map(({ exchange }) => exchange.phase);
}
