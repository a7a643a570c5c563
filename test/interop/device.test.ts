/** A device that behaves like those of pySRUP, on a real server: what works, and that the server claims nothing unproven. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { onEachBroker, test } from '../support/fixtures.ts';
import { startSiteOn, type BrokerName } from '../support/brokers.ts';
import { letJoin } from '../support/device.ts';
import { freePort } from '../support/ports.ts';
import type { Ground, Site } from '../support/server.ts';
import { until } from '../support/wait.ts';
import { openOperator } from './operator.ts';
import { startReferenceDevice, IDENTIFICATION, type ReferenceDevice } from './reference/device.ts';
import { enrolDevice, getKey, httpTrusting, type Enrolled, type Http } from './reference/key-exchange.ts';
import { overTls } from './reference/mqtt.ts';

const TYPE = 'pump';

/** Starts a site for pySRUP, which knows no enrolment codes and only the port 8883. */
async function startOpenSite(
  ground: Ground,
  broker: BrokerName,
): Promise<{ site: Site; http: Http; port: number }> {
  const mqtts = await freePort();
  const announced = ['--mqtts-port', String(mqtts), '--public-mqtts-url', 'mqtts://localhost:8883'];
  const site = await startSiteOn(ground, broker, [
    '--open-registration',
    ...(broker === 'embedded' ? announced : []),
  ]);
  await letJoin(site, TYPE);
  const http = httpTrusting(await readFile(join(ground.folder, 'server', 'authority', 'ca.pem'), 'utf8'));
  return { site, http, port: broker === 'embedded' ? mqtts : Number(new URL(site.brokerUrl).port) };
}

/** Starts the device. A broker on another port than 8883 needs a detour: its host is given without a port. */
async function start(
  ground: Ground,
  enrolled: Enrolled,
  site: Site,
  http: Http,
  port: number,
): Promise<ReferenceDevice> {
  const host = port === Number(new URL(site.brokerUrl).port) ? 'mqtt://localhost' : enrolled.broker;
  const device = await startReferenceDevice(enrolled, {
    openLink: overTls(host, enrolled.tls, port),
    download: async (url) => {
      const reply = await http('GET', url).catch(() => undefined);
      if (reply === undefined || reply.status >= 400) return reply?.status;
      return createHash('sha256').update(reply.text).digest('hex');
    },
    getKey: (id) => getKey(http, site.url, id),
  });
  ground.later(() => device.close());
  return device;
}

const told = ({ news }: ReferenceDevice, what: string) => news.filter((one) => one.told === what);

onEachBroker('a device of pySRUP', (broker) => {
  test('registers, joins, is updated and commanded, talks, resigns, comes back and deregisters', async ({
    ground,
  }) => {
    const { site, http, port } = await startOpenSite(ground, broker);
    const operator = await openOperator(ground);
    const enrolled = await enrolDevice(http, site.url, TYPE);
    const device = await start(ground, enrolled, site, http, port);
    const { id } = device;
    const untilStanding = (standing: string) =>
      until(standing, async () => (await operator.device(id))?.standing === standing);

    device.join();
    await until('it has joined', () => told(device, 'joined').length === 1);
    const known = await until('it said what it is', async () => {
      const shown = await operator.device(id);
      return shown?.identification === undefined ? undefined : shown;
    });
    const facts = { standing: 'joined', suite: 'rsa-sha256', confirms: false };
    expect(known).toMatchObject({ ...facts, identification: IDENTIFICATION });

    const path = join(ground.folder, 'firmware');
    await writeFile(path, 'version 2');
    const digest = createHash('sha256').update('version 2').digest('hex');
    const update = await site.ctl('update', id, path);
    expect(update.stdout + update.stderr).toMatch(/never confirms/);
    await until('it installs', () => told(device, 'update').length === 1);
    expect(told(device, 'fetched')).toEqual([
      { told: 'fetched', url: `${site.url}/artifacts/${digest}`, status: 0 },
    ]);
    const [updated] = await operator.exchanges(id, 'update');
    expect(updated?.exchange.phase).toBe('unconfirmed');
    expect(updated?.explanation).toMatch(/what runs is not known/);
    const after = await operator.device(id);
    expect(after?.staged?.digest).toBe(digest); // that much it has proven
    expect(after).not.toHaveProperty('running');

    device.sendData('S', Buffer.from('hello'));
    device.sendData('F', Buffer.from('0000000000803540', 'hex'));
    device.sendData('I', Buffer.from('f9ffffff', 'hex'));
    const received = await until('its data came', async () => {
      const rows = await operator.data(id);
      return rows.length >= 3 ? rows : undefined;
    });
    const values = Object.fromEntries(received.map(({ dataId, value }) => [dataId, value]));
    expect(values).toEqual({ S: 'hello', F: 21.5, I: -7 });

    const action = await site.ctl('action', id, 'self-test', '--wait');
    expect(action.stdout + action.stderr).toMatch(/never confirms/);
    await until('it acts', () => told(device, 'action').length === 1);
    expect(told(device, 'action')).toEqual([{ told: 'action', actionId: 5 }]);
    const value = { type: 'double', number: 1.5 };
    await operator.order(id, { kind: 'data', dataId: 'Delay', value });
    await until('it takes data', () => told(device, 'data').length === 1);
    const data = Buffer.from('000000000000f83f', 'hex');
    expect(told(device, 'data')).toEqual([{ told: 'data', dataId: 'Delay', data }]);
    await operator.order(id, { kind: 'identify' });
    await until('it is asked and answers again', async () => {
      const asked = await operator.exchanges(id, 'identify');
      return asked.length >= 2 && asked.every(({ exchange }) => exchange.phase === 'answered');
    });

    device.resign();
    await untilStanding('resigned');
    await device.close();
    const again = await start(ground, enrolled, site, http, port);
    for (const [who, counter] of device.counters) again.counters.set(who, counter);
    again.join();
    await until('it is back', () => told(again, 'joined').length === 1);
    await until('it said what it is', async () => {
      const asked = await operator.exchanges(id, 'identify');
      return again.counters.size > 0 && asked.every(({ exchange }) => exchange.phase === 'answered');
    });
    again.deregister();
    await untilStanding('deregistered');

    const evidence = await operator.messages(id);
    const initiate = evidence.find(({ type, direction }) => type === 'INITIATE' && direction === 'out');
    expect(initiate?.hex).toMatch(/00$/); // P 2.5
    expect(await operator.refusals()).toEqual([]);
    // A device that deregisters drops the server's key before the answer arrives.
    expect([...device.dropped, ...again.dropped]).toEqual([{ type: 'RESPONSE', why: 'stranger' }]);
  });
});
