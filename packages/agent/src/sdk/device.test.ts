import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TokenKey } from '@srup/protocol';
import { fileListener, serve, type FileServer } from '../../test/file-server.ts';
import { sha256 } from '../../test/surroundings.ts';
import { makeWorld, type World } from '../../test/world.ts';
import { ConfigError } from '../config/config.ts';
import type { Deferral } from '../deferral/deferral.ts';
import { Device, type DeviceOptions } from './device.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

let world: World;
let devices: Device[];
let servers: FileServer[];
beforeEach(async () => {
  world = await makeWorld();
  devices = [];
  servers = [];
});
afterEach(async () => {
  await Promise.all(devices.map((device) => device.stop()));
  await Promise.all(servers.map((server) => server.close()));
  await world.close();
});

function makeDevice(options: Partial<DeviceOptions> = {}): Device {
  const { service, broker, home, log } = world;
  const device = new Device({
    ...{ home: join(home, 'device'), url: service.url, caFingerprint: broker.ca.fingerprint },
    ...{ type: 'demo', log, ...options },
  });
  devices.push(device);
  return device;
}

async function joinWith(device: Device): Promise<void> {
  await device.start();
  await world.meet();
  await world.c2.accept();
  await device.joined;
}

async function statusOf(token: TokenKey): Promise<number> {
  return (await world.c2.hear('RESPONSE', token)).message.body.status;
}

/** What the server hears until the device has answered a later question. */
async function dataHeard(): Promise<[id: string, value: string][]> {
  const asked = await world.c2.say('ID_REQUEST', {});
  await world.c2.hear('DATA', asked);
  return world.c2.heard
    .map(({ message }) => message)
    .filter((message) => message.type === 'DATA')
    .filter(({ body }) => body.dataId !== 'IDENTIFICATION_RESPONSE')
    .map(({ body }) => [body.dataId, Buffer.from(body.data).toString('hex')]);
}

/** A release at a server of its own, initiated; the device has staged it. */
async function stage(content: string): Promise<{ token: TokenKey; digest: string }> {
  const digest = sha256(content);
  const server = await serve(fileListener(text(content), '"1"', () => undefined));
  servers.push(server);
  const token = await world.c2.say('INITIATE', { url: `${server.url}/file`, digest });
  expect(await statusOf(token)).toBe(0x00);
  return { token, digest };
}

async function activate(token: TokenKey): Promise<number> {
  await world.c2.say('ACTIVATE', {}, { token });
  return (await world.c2.hear('RESPONSE', token, 2)).message.body.status;
}

test('a program is a device: actions, data both ways', async () => {
  const done: string[] = [];
  const device = makeDevice({ data: { types: { level: 'uint8' } } })
    .onAction('beacon', () => void done.push('beacon'))
    .onAction(0x40, () => Promise.reject(new Error('stuck')))
    .onData('setpoint', (value) => void done.push(`setpoint ${String(value)}`))
    .onData((value, dataId) => void done.push(`${dataId} ${String(value)}`));
  await joinWith(device);
  const { c2 } = world;
  expect(await statusOf(await c2.say('ACTION', { actionId: 6 }))).toBe(0x20);
  expect(await statusOf(await c2.say('ACTION', { actionId: 0x40 }))).toBe(0x2f);
  expect(await statusOf(await c2.say('ACTION', { actionId: 0x41 }))).toBe(0x2e);
  await c2.say('DATA', { dataId: 'setpoint', data: text('21') });
  await c2.say('DATA', { dataId: 'other', data: text('x') });
  expect(await device.send('temperature', 21.5)).toBe('kept');
  expect(await device.send('level', 7)).toBe('kept');
  expect(await device.send('raw', Uint8Array.of(1, 2))).toBe('kept');
  expect(await dataHeard()).toEqual([
    ['temperature', '0000000000803540'],
    ['level', '07'],
    ['raw', '0102'],
  ]);
  expect(done).toEqual(['beacon', 'setpoint 21', 'other x']);
  expect(device.status).toMatchObject({ phase: 'joined', connected: true });
});

test('the program hears of a value that can not be sent', async () => {
  const device = makeDevice({ data: { types: { level: 'uint8' } } });
  await expect(device.send('level', 1)).rejects.toThrow('not started yet');
  await device.start();
  expect(await device.send('temperature', 1)).toBe('unjoined');
  await expect(device.send('level', 256)).rejects.toThrow(TypeError);
  await expect(device.send('level', 'high')).rejects.toThrow(TypeError);
  await expect(device.send('srup.defer', 'x')).rejects.toThrow(RangeError);
  await expect(device.start()).rejects.toThrow('started already');
});

test('mistakes in the options are named', () => {
  const wrong = { home: '/x', url: 'nowhere', type: 'pump' };
  expect(() => new Device(wrong)).toThrow(ConfigError);
  expect(() => new Device(wrong)).toThrow(/url: /);
});

test('the program takes new software itself; software that it does not take is reverted', async () => {
  const taken: string[] = [];
  const device = makeDevice({ fetch: { allowHttp: true } }).onUpdate(async ({ path }) => {
    const content = await readFile(path, 'utf8');
    taken.push(content);
    if (content === 'bad') throw new Error('not for this pump');
  });
  await joinWith(device);
  const first = await stage('one');
  expect(taken).toEqual([]);
  expect(await activate(first.token)).toBe(0x10);
  const second = await stage('bad');
  expect(await activate(second.token)).toBe(0x1f);
  expect(taken).toEqual(['one', 'bad', 'one']);
  expect(device.status.software.digest).toBe(first.digest);

  await device.stop();
  const again = makeDevice({ fetch: { allowHttp: true } }).onUpdate(async ({ path }) => {
    taken.push(`again ${await readFile(path, 'utf8')}`);
  });
  await again.start();
  expect(taken.slice(3)).toEqual(['again one']);
});

test('a program that defers is not updated; the server hears why, and asks again', async () => {
  let deferral: Deferral | undefined = { reason: 'the pump runs' };
  const device = makeDevice({ fetch: { allowHttp: true } })
    .onUpdate(() => undefined)
    .onDefer(() => deferral);
  await joinWith(device);
  const { token } = await stage('one');
  expect(await activate(token)).toBe(0x1d);
  const [[id, data] = []] = await dataHeard();
  expect(id).toBe('srup.defer');
  expect(Buffer.from(data ?? '', 'hex').toString()).toContain('the pump runs');
  deferral = undefined;
  await world.c2.say('ACTIVATE', {}, { token });
  expect((await world.c2.hear('RESPONSE', token, 3)).message.body.status).toBe(0x10);
});

test('software that the program never finishes taking is reverted', async () => {
  const aborted: unknown[] = [];
  const device = makeDevice({
    fetch: { allowHttp: true },
    health: { deadlineSeconds: 0.05 },
  }).onUpdate(
    (_, signal) =>
      new Promise(() => {
        signal.addEventListener('abort', () => aborted.push(signal.reason));
      }),
  );
  await joinWith(device);
  const { token } = await stage('one');
  expect(await activate(token)).toBe(0x1f);
  expect(aborted).toHaveLength(1);
});
