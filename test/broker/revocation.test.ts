import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { askAgent, homeAt, type AgentStatus } from '@srup/agent';
import { connectMqtt, pemToBody, Secret } from '@srup/node';
import type { BrokerView } from '@srup/server';
import { onEachBroker, test } from '../support/fixtures.ts';
import { canRun, prepareSiteOn } from '../support/brokers.ts';
import { launchDevice, letJoin, TYPE, untilJoined, type Device } from '../support/device.ts';
import { credentialOf, credentialOfServer, intrude, signedBy } from '../support/intruder.ts';
import type { Mosquitto } from '../support/mosquitto.ts';
import { runSrup } from '../support/processes.ts';
import type { Ground, Site } from '../support/server.ts';
import { until } from '../support/wait.ts';

interface Evidence {
  readonly sequence: string;
  readonly direction: 'in' | 'out';
  readonly type: string;
  readonly hex: string;
}

const OPEN = ['--open-registration'];

const own = (id: string): string => `SRUP Client: ${id}`;
const topicOf = (id: string): string => `SRUP/${id}`;

async function joined(ground: Ground, site: Site, name: string): Promise<{ device: Device; id: string }> {
  await letJoin(site);
  const device = await launchDevice(ground, site, name);
  return { device, id: (await untilJoined(site, device)).id };
}

function evidence(site: Site, id: string): Promise<Evidence[]> {
  return site.api((api) => api.list(`/devices/${id}/messages`));
}

async function nextNumber(site: Site, id: string): Promise<bigint> {
  const numbers = (await evidence(site, id)).map(({ sequence }) => BigInt(sequence));
  return numbers.reduce((highest, one) => (one > highest ? one : highest), 0n) + 1n;
}

async function standing(site: Site, id: string): Promise<string> {
  return (await site.api((api) => api.get<{ standing: string }>(`/devices/${id}`))).standing;
}

async function refusals(site: Site): Promise<string[]> {
  return (await site.api((api) => api.list<{ code: string }>('/refusals'))).map(({ code }) => code);
}

function received(site: Site, id: string): Promise<unknown[]> {
  return site.api((api) => api.list(`/devices/${id}/data`));
}

async function acts(site: Site, id: string): Promise<void> {
  const done = await site.ctl('action', id, 'self-test', '--wait');
  expect(done, done.stderr + site.process.stderr()).toMatchObject({ code: 0 });
}

onEachBroker('an identity ends', () => {
  test.override('siteArgs', () => OPEN);

  test('at once, when an operator revokes it: session, queue, certificate; and the box comes back with another', async ({
    ground,
    site,
  }) => {
    const [{ device, id }, other] = [
      await joined(ground, site, 'stolen'),
      await joined(ground, site, 'other'),
    ];
    const away = await joined(ground, site, 'away');
    await device.process.stop();
    await away.device.process.stop('SIGKILL');
    const stolen = await credentialOf(device);
    const thief = await intrude(ground, site, stolen, own(id));
    await thief.link.subscribe([topicOf(id)]);

    // Control: messages to it and from it pass.
    expect((await site.ctl('action', id, '40')).code).toBe(0);
    await until('it hears what is sent to it', () => thief.heard.length > 0);
    const data = { type: 'DATA', token: 'before', body: { dataId: 'x', data: Uint8Array.of(49) } } as const;
    await thief.link.publish(
      topicOf(id),
      await signedBy(device, id, (await nextNumber(site, id)) + 5n, data),
    );
    await until('it is heard', async () => (await received(site, id)).length > 0);
    expect((await site.ctl('action', away.id, '40')).code).toBe(0); // waits at the broker
    if (site.external !== undefined) expect(await isSessionKept(ground, site, away.id)).toBe(true);

    const revoked = await site.ctl('revoke', id, '--yes');
    expect(revoked, revoked.stderr + site.process.stderr()).toMatchObject({ code: 0 });
    expect(revoked.stdout).toContain('is revoked');
    expect((await site.ctl('revoke', away.id, '--yes')).code).toBe(0);
    await until('its connection has ended, and it has tried again', () => thief.reasons.length >= 3);
    expect(thief.entries, thief.reasons.join()).toBe(1);
    if (site.external !== undefined) expect(await isSessionKept(ground, site, away.id)).toBe(false);
    expect(await site.look<BrokerView>('/broker')).toMatchObject({ revocation: { state: 'current' } });
    await expectOver(ground, site, id);
    await expectOver(ground, site, away.id);
    const hearsNothing = thief.heard.length;

    // No other device is affected, and the device itself can't come back with this identity.
    await acts(site, other.id);
    device.restart();
    await until('the device is turned away', () =>
      device.process.stderr().includes('not connected to the broker'),
    );
    expect(await standing(site, id)).toBe('deregistered');
    expect(thief.heard.length).toBe(hearsNothing);
    const again = await runSrup(['agent', 'join', '--home', device.home]);
    expect(again, again.stderr).toMatchObject({ code: 0 });
    expect((await untilJoined(site, device)).id).not.toBe(id);
    await acts(site, await device.id());
  });

  test('when the device resigns, and when the server dismisses it', async ({ ground, site }) => {
    const [leaver, dismissed] = [
      await joined(ground, site, 'leaver'),
      await joined(ground, site, 'dismissed'),
    ];
    const stolen = await Promise.all([credentialOf(leaver.device), credentialOf(dismissed.device)]);
    const left = await runSrup(['agent', 'deregister', '--yes', '--home', leaver.device.home]);
    expect(left, left.stderr).toMatchObject({ code: 0 });
    const told = await site.ctl('deregister', dismissed.id, '--yes', '--wait');
    expect(told, told.stderr).toMatchObject({ code: 0 });
    await until('the certificates are revoked', () =>
      [leaver.id, dismissed.id].every((id) =>
        site.process
          .stderr()
          .includes(`"device":"${id}","msg":"the identity of a device that left has ended"`),
      ),
    );
    for (const [at, { id, device }] of [leaver, dismissed].entries()) {
      expect((await intrude(ground, site, stolen[at]!, own(id))).entries).toBe(0);
      await expectOver(ground, site, id);
      // The same box under a new identity, at once.
      const asked = await runSrup(['agent', 'join', '--home', device.home]);
      expect(asked, asked.stderr).toMatchObject({ code: 0 });
      await until('it has another identity', async () => (await device.id().catch(() => id)) !== id);
      await untilJoined(site, device);
    }
  });

  test('for no one else: neither for a sibling with its own key, nor for the broker with messages it has seen', async ({
    ground,
    site,
  }) => {
    const [victim, rogue, sibling] = [
      await joined(ground, site, 'victim'),
      await joined(ground, site, 'rogue'),
      await joined(ground, site, 'sibling'),
    ];
    const number = (await nextNumber(site, victim.id)) + 10n;
    const request = { type: 'DEREGISTER_REQ', token: 'forged', body: {} } as const;
    const forged = await signedBy(rogue.device, victim.id, number, request);
    await rogue.device.process.stop();
    const enrolled = await intrude(ground, site, await credentialOf(rogue.device), own(rogue.id));
    await enrolled.link.publish(topicOf(rogue.id), forged);
    await until('it is refused', async () => (await refusals(site)).includes('AUTH_TOPIC'));
    await enrolled.link.publish(topicOf(victim.id), forged).catch(() => undefined);

    // The broker has all it needs but keys: a genuine command to another device, and forged ones.
    const gone = await site.ctl('deregister', sibling.id, '--yes', '--wait');
    expect(gone, gone.stderr).toMatchObject({ code: 0 });
    const genuine = (await evidence(site, sibling.id)).find(({ type }) => type === 'DEREGISTER_CMD');
    const { serverId } = await serverOf(ground);
    const order = { type: 'DEREGISTER_CMD', token: 'forged', body: {} } as const;
    const refused = () => refusedBy(victim.device);
    const before = await refused();
    const hostile = await intrude(ground, site, await credentialOfServer(ground), own(serverId));
    for (const bytes of [
      Buffer.from(genuine!.hex, 'hex'),
      await signedBy(rogue.device, serverId, number, order),
    ])
      await hostile.link.publish(topicOf(victim.id), bytes);
    await until('the device has refused', async () => (await refused()) >= before + 2);
    await hostile.link.close();
    await acts(site, victim.id);
    expect(await standing(site, victim.id)).toBe('joined');
  });
});

describe.skipIf(!canRun('mosquitto'))('a Mosquitto that does not learn of revocations', () => {
  test('keeps the connection of a revoked device; nothing is sent to it or believed, and the operator is warned', async ({
    ground,
  }) => {
    const { external, start } = await prepareSiteOn(ground, OPEN, {}, 'untold');
    await external.start();
    const site = await start();
    const { device, id } = await joined(ground, site, 'stolen');
    await device.process.stop();
    const thief = await intrude(ground, site, await credentialOf(device), own(id));
    await thief.link.subscribe([topicOf(id)]);
    const number = await nextNumber(site, id);
    expect((await site.ctl('action', id, '40')).code).toBe(0);
    await until('it hears what is sent to it', () => thief.heard.length > 0);

    const revoked = await site.ctl('revoke', id, '--yes');
    expect(revoked).toMatchObject({ code: 1 });
    expect(revoked.stdout).toMatch(/revoked here.*has not read the newest revocation list/);
    const state = await site.ctl('broker');
    expect(state).toMatchObject({ code: 1 });
    expect(state.stdout).toContain('IT ACCEPTS REVOKED DEVICES');
    await expectOver(ground, site, id);

    const sent = (await evidence(site, id)).filter(({ direction }) => direction === 'out').length;
    const data = { dataId: 'x', data: Uint8Array.of(49) };
    const heardBefore = (await evidence(site, id)).length;
    await thief.link.publish(
      topicOf(id),
      await signedBy(device, id, number + 9n, { type: 'DATA', token: 'late', body: data }),
    );
    const join = await signedBy(device, id, number + 10n, { type: 'JOIN_REQ', token: 'again', body: {} });
    await thief.link.publish(`SRUP/servers/${(await serverOf(ground)).serverId}/${id}`, join);
    await until('both are refused', async () => {
      const codes = await refusals(site);
      return codes.filter((code) => code === 'AUTH_STATE').length >= 2;
    });
    expect(thief.reasons, 'it is still connected').toEqual([]);
    expect(await received(site, id)).toEqual([]);
    expect((await evidence(site, id)).length).toBe(heardBefore);
    expect((await evidence(site, id)).filter(({ direction }) => direction === 'out').length).toBe(sent);

    // After a reload by hand it refuses the device; an open connection ends with the next one.
    await external.reload();
    await until('the server has seen it', async () => {
      return (await site.look<BrokerView>('/broker'))?.revocation.state === 'current';
    });
    expect((await site.ctl('broker')).code).toBe(0);
    const late = await intrude(ground, site, await credentialOf(device), own(id));
    expect(late.reasons[0]).toMatch(/revoked/);
  });
});

/** Checks what a lost device can't undo. */
async function expectOver(ground: Ground, site: Site, id: string): Promise<void> {
  expect(await standing(site, id)).toBe('deregistered');
  expect(await site.api((api) => api.list('/exchanges', { device: id, open: true }))).toEqual([]);
  const order = { devices: [id], command: { kind: 'action', actionId: 0x40 } };
  const [receipt] = await site.api((api) => api.send<{ ok: boolean }[]>('POST', '/commands', order));
  expect(receipt).toMatchObject({ ok: false });
  const { status } = await askKeyService(ground, site, `get_key/${id}`);
  expect(status).toBe(410);
  expect(
    await askKeyService(ground, site, 'access', { identity: id, csr: 'AA==', signature: 'AA==' }),
  ).toMatchObject({
    status: 403,
    text: expect.stringContaining('revoked') as string,
  });
  const body = {
    identity: id,
    key: bodyOf(generateKeyPairSync('ed25519').publicKey),
    type: TYPE,
  };
  const { publicKey } = generateKeyPairSync('x25519');
  const again = await askKeyService(ground, site, 'register', {
    ...body,
    sealKey: bodyOf(publicKey),
  });
  expect(again, again.text).toMatchObject({ status: 409 });
}

function bodyOf(key: KeyObject): string {
  return pemToBody(key.export({ format: 'pem', type: 'spki' }).toString());
}

async function askKeyService(ground: Ground, site: Site, call: string, body?: object) {
  const ca = await readFile(join(ground.folder, 'server', 'authority', 'ca.pem'), 'utf8');
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const asking = request(`${site.url}/KeyEx/register/${call}`, {
      ca,
      method: body === undefined ? 'GET' : 'POST',
    });
    asking.on('error', reject).on('response', (answer) => {
      text(answer).then((said) => {
        resolve({ status: answer.statusCode ?? 0, text: said });
      }, reject);
    });
    asking.end(body && JSON.stringify(body));
  });
}

/** Asks with the credential that ends sessions, which can use any client id. The session stays as it was. */
async function isSessionKept(
  ground: Ground,
  { external }: { external?: Mosquitto },
  id: string,
): Promise<boolean> {
  const at = external!.args.indexOf('--broker-sessions');
  const secret = await readFile(join(ground.folder, 'server', 'server', 'broker-sessions'), 'utf8');
  const link = connectMqtt({
    ...(await credentialOfServer(ground)),
    url: external!.args[at + 1]!,
    ca: await readFile(join(ground.folder, 'server', 'authority', 'ca.pem'), 'utf8'),
    clientId: id,
    clean: false,
    username: 'srup-sessions',
    password: new Secret(secret.trim()),
  });
  return new Promise<boolean>((resolve, reject) => {
    link.onConnect = (isKept) => {
      link.onDisconnect = () => undefined;
      void link.close().then(() => {
        resolve(isKept);
      });
    };
    link.onDisconnect = (reason) => {
      reject(new Error(reason));
    };
  });
}

async function serverOf(ground: Ground): Promise<{ serverId: string }> {
  const text = await readFile(join(ground.folder, 'server', 'server', 'identity'), 'utf8');
  return { serverId: text.trim() };
}

async function refusedBy(device: Device): Promise<number> {
  const status = (await askAgent(homeAt(device.home).socket, 'status'))?.value as AgentStatus;
  return Object.values(status.refusals).reduce((sum, count) => sum + count, 0);
}
