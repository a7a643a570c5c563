import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { expect } from 'vitest';
import { pino } from 'pino';
import { Device, type DeviceOptions } from '@srup/agent';
import { Controller, FleetError } from '@srup/server';
import { placeFor, toldOf } from '../../packages/server/test/database.ts';
import { test } from '../support/fixtures.ts';
import type { Ground } from '../support/server.ts';
import { until } from '../support/wait.ts';
let controller: Controller;
test.beforeEach(async ({ ground }) => {
  controller = await start(ground);
});

async function start(ground: Ground): Promise<Controller> {
  const log = pino({ level: 'silent' });
  const folder = join(ground.folder, 'server');
  const database = toldOf(await placeFor(ground.folder, ground.later));
  const started = await Controller.start({ folder, log, httpsPort: 0, mqttsPort: 0, ...database });
  ground.later(() => started.close());
  return started;
}

async function makeDevice(ground: Ground, options: Partial<DeviceOptions> = {}): Promise<Device> {
  const { url, caFingerprint } = controller;
  const enrolmentCode = await controller.enrolmentCode('pump');
  const home = join(ground.folder, 'device');
  const device = new Device({ home, url, caFingerprint, enrolmentCode, type: 'pump', ...options });
  ground.later(() => device.stop());
  return device;
}

async function idOf(device: Device): Promise<string> {
  await device.joined;
  return device.status.id ?? '';
}

function statusOf(path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(new URL(path, controller.url), { ca: controller.server.caPem }, (response) => {
      resolve(response.statusCode);
      response.destroy();
    });
    asked.on('error', reject).end();
  });
}

test('a program commands its devices, and receives what they prove', async ({ ground }) => {
  const done: string[] = [];
  const values: unknown[] = [];
  controller.onData(({ dataId, value }) => values.push([dataId, value]));
  const device = await makeDevice(ground);
  device
    .onAction('beacon', () => void done.push('beacon'))
    .onAction(0x40, () => Promise.reject(new Error('stuck')))
    .onData('setpoint', (value) => void done.push(`setpoint ${String(value)}`))
    .onUpdate(async ({ path }) => {
      if (!(await readFile(path, 'utf8')).startsWith('good')) throw new Error('not for this pump');
    });
  await device.start();
  await until('its join waits', async () => {
    const { rows } = await controller.fleet.exchanges({ kind: 'join', open: true });
    return rows.length === 1;
  });
  // The handler is registered after the join has arrived; it decides that join too.
  controller.onJoin(({ type }) => (type === 'pump' ? 'accept' : 'refuse'));
  const id = await idOf(device);

  await controller.send(id, 'setpoint', 21.5);
  expect(await controller.action(id, 'beacon')).toMatchObject({ device: id, ok: true, phase: 'done' });
  expect(await controller.action(id, 0x40)).toMatchObject({ ok: false, phase: 'failed' });
  expect(await controller.action(id, 0x41)).toMatchObject({ ok: false, phase: 'unknown' });
  expect(done).toEqual(['setpoint 21.5', 'beacon']);
  expect(await controller.identify(id)).toMatchObject({ ok: true, phase: 'answered' });
  await device.send('pressure', 2.5);
  await until('the value is there', () => values.length > 0);
  expect(values).toEqual([['pressure', 2.5]]);

  const file = join(ground.folder, 'plan');
  await writeFile(file, 'good');
  const staged = await controller.update(id, file, { version: '1', activate: false });
  expect(staged).toMatchObject({ ok: true, phase: 'staged' });
  expect((await controller.fleet.device(id))?.running).toBeUndefined();
  const [artifact] = (await controller.artifacts.list({})).rows;
  expect(artifact).toMatchObject({ name: 'plan', version: '1' });
  const active = await controller.update(id, artifact?.digest ?? '');
  expect(active).toMatchObject({ ok: true, phase: 'active' });
  await writeFile(file, 'bad');
  expect(await controller.update(id, file)).toMatchObject({ ok: false, phase: 'reverted' });
  expect((await controller.fleet.device(id))?.running?.digest).toBe(artifact?.digest);
  await expect(controller.rollback(id)).rejects.toThrow('has not proven to have run anything before');
  const next = join(ground.folder, 'next');
  await writeFile(next, 'good next');
  expect(await controller.update(id, next)).toMatchObject({ ok: true, phase: 'active' });
  expect(await controller.rollback(id, '1')).toMatchObject({ ok: true, phase: 'active' });
  expect((await controller.fleet.device(id))?.running?.digest).toBe(artifact?.digest);
  const { rows } = await controller.fleet.exchanges({ device: id, kind: 'update' });
  expect(rows[0]?.exchange).toMatchObject({ kind: 'update', isRollback: true });
  expect(await controller.terminate(id)).toMatchObject({ ok: true, phase: 'left' });
});

test('an impossible command fails at once, and a wait can be aborted', async ({ ground }) => {
  await expect(controller.action('b9d077e223834cf6', 'beacon')).rejects.toThrow(FleetError);
  await expect(controller.update('b9d077e223834cf6', 'ab'.repeat(32))).rejects.toThrow('give the file');
  controller.onJoin(() => 'accept');
  let release = (): void => undefined;
  const device = await makeDevice(ground);
  device.onAction(0x40, () => new Promise<void>((resolve) => (release = resolve)));
  await device.start();
  const id = await idOf(device);
  await expect(
    controller.action(id, 0x40, { signal: AbortSignal.abort(new Error('enough')) }),
  ).rejects.toThrow('enough');
  const later = controller.action(id, 0x41);
  release();
  expect(await later).toMatchObject({ phase: 'unknown' });
});

test('has the HTTP API only on request, but always what devices need', async () => {
  expect(await statusOf('/api/v1/openapi.json')).toBe(404);
  expect(await statusOf('/healthz')).toBe(200);
  expect(await statusOf('/KeyEx/register/status')).toBe(200);
});
