import { expect } from 'vitest';
import { STATUS, type TokenKey } from '@srup/protocol';
import { test as base } from '../../test/fixtures.ts';
import type { TestDevice } from '../../test/fleet/device.ts';
import { report, stage, update, type World } from '../../test/fleet/world.ts';

const KEEP = { rows: 40, bytes: 2 ** 20, proofs: 10 };
const MANY = 90;

/** A device that runs an update, and what proves it. */
interface Scene {
  readonly world: World;
  readonly device: TestDevice;
  /** The token of the request that let the device in. */
  readonly joinToken: TokenKey;
  /** The token of the update that it runs. */
  readonly running: TokenKey;
}

const test = base
  .extend('worldOptions', () => ({ keep: KEEP }))
  .extend('scene', async ({ world, joined: device }): Promise<Scene> => {
    const joinToken = (await world.fleet.exchanges({ kind: 'join' })).rows[0]!.exchange.token;
    const running = await update(world, device, { digest: 'a'.repeat(64) });
    await device.next(world.link, 'ID_REQUEST');
    return { world, device, joinToken, running };
  });

async function typesOf({ world, device }: Scene, token: TokenKey): Promise<string[]> {
  const { rows } = await world.fleet.messages({ device: device.text, token, limit: 500 });
  return rows.map(({ type }) => type).reverse();
}

const count = async ({ world }: Scene, table: 'messages' | 'exchanges' | 'data'): Promise<number> =>
  (await world.store.read.selectFrom(table).select('device').execute()).length;

test('endless telemetry pushes out nothing but telemetry', async ({ scene }) => {
  const { world, device, running } = scene;
  const staged = await stage(world, device, { digest: 'b'.repeat(64), activateAtOnce: false });
  for (let n = 0; n < MANY; n++) await report(world, device, n);
  expect(await count(scene, 'messages')).toBeLessThan(2 * KEEP.rows);
  expect(await count(scene, 'data')).toBeLessThan(KEEP.rows + 5);
  expect(await count(scene, 'exchanges')).toBeLessThan(2 * KEEP.rows);
  expect(await typesOf(scene, running)).toEqual(['INITIATE', 'RESPONSE', 'ACTIVATE', 'RESPONSE']);
  expect(await typesOf(scene, staged)).toEqual(['INITIATE', 'RESPONSE']);
  expect(await world.fleet.exchange(device.text, running)).toMatchObject({ exchange: { phase: 'active' } });
});

test('a flood of requests leaves the proof of what the device runs', async ({ scene }) => {
  const { world, device, running } = scene;
  for (let n = 0; n < MANY; n++) await device.say(world.link, 'JOIN_REQ', {});
  expect(await count(scene, 'messages')).toBeLessThan(2 * KEEP.rows);
  expect(await typesOf(scene, running)).toEqual(['INITIATE', 'RESPONSE', 'ACTIVATE', 'RESPONSE']);
  expect(await world.fleet.exchange(device.text, running)).toMatchObject({ exchange: { phase: 'active' } });
});

test.for<[string, (scene: Scene) => Promise<unknown>]>([
  [
    'its receipt',
    ({ world, device, running }) =>
      device.say(world.link, 'RESPONSE', { status: STATUS.ACTIVATE_SUCCESS }, running),
  ],
  [
    'the request that let it in',
    ({ world, device, joinToken }) => device.say(world.link, 'JOIN_REQ', {}, joinToken),
  ],
])('a device that endlessly repeats %s does not fill the disk', async ([, repeat], { scene }) => {
  for (let n = 0; n < MANY; n++) await repeat(scene);
  expect(await count(scene, 'messages')).toBeLessThan(2 * KEEP.rows);
  expect((await typesOf(scene, scene.joinToken))[0]).toBe('JOIN_REQ');
});
