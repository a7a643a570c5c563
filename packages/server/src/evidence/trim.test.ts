import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeText, STATUS, type TokenKey } from '@srup/protocol';
import { directoryOf, makeDevice, makeServer, tokenOf, type TestDevice } from '../../test/fleet/device.ts';
import { join, openWorld, type World } from '../../test/fleet/world.ts';

const KEEP = { rows: 40, bytes: 2 ** 20, proofs: 10 };
const MANY = 90;

let world: World;
let device: TestDevice;
/** The token of the request that let the device in. */
let joined: TokenKey;
/** The token of the update that it runs. */
let running: TokenKey;

beforeEach(async () => {
  const server = await makeServer();
  device = await makeDevice(server);
  world = await openWorld({ server, directory: directoryOf(device), keep: KEEP });
  await world.fleet.setJoinPolicy('*', 'accept');
  await join(world, device);
  joined = (await world.fleet.exchanges({ kind: 'join' })).rows[0]!.exchange.token;
  running = await begin('a');
  await device.next(world.link, 'ACTIVATE');
  await device.say(world.link, 'RESPONSE', { status: STATUS.ACTIVATE_SUCCESS }, running);
  await device.next(world.link, 'ID_REQUEST');
});

afterEach(async () => {
  await world.close();
});

/** INITIATE to the receipt that it is staged. */
async function begin(digit: string, activateAtOnce = true): Promise<TokenKey> {
  const url = 'https://files.example/a';
  await world.fleet.command([device.text], { kind: 'update', url, digest: digit.repeat(64), activateAtOnce });
  const token = tokenOf(await device.next(world.link, 'INITIATE'));
  await device.say(world.link, 'RESPONSE', { status: STATUS.UPDATE_SUCCESS }, token);
  return token;
}

async function typesOf(token: TokenKey): Promise<string[]> {
  const { rows } = await world.fleet.messages({ device: device.text, token, limit: 500 });
  return rows.map(({ type }) => type).reverse();
}

const count = async (table: 'messages' | 'exchanges' | 'data'): Promise<number> =>
  (await world.store.read.selectFrom(table).select('device').execute()).length;

test('endless telemetry pushes out nothing but telemetry', async () => {
  const staged = await begin('b', false);
  for (let n = 0; n < MANY; n++)
    await device.say(world.link, 'DATA', { dataId: 't', data: encodeText(String(n)) });
  expect(await count('messages')).toBeLessThan(2 * KEEP.rows);
  expect(await count('data')).toBeLessThan(KEEP.rows + 5);
  expect(await count('exchanges')).toBeLessThan(2 * KEEP.rows);
  expect(await typesOf(running)).toEqual(['INITIATE', 'RESPONSE', 'ACTIVATE', 'RESPONSE']);
  expect(await typesOf(staged)).toEqual(['INITIATE', 'RESPONSE']);
  expect(await world.fleet.exchange(device.text, running)).toMatchObject({ exchange: { phase: 'active' } });
});

test('a flood of requests leaves the proof of what the device runs', async () => {
  for (let n = 0; n < MANY; n++) await device.say(world.link, 'JOIN_REQ', {});
  expect(await count('messages')).toBeLessThan(2 * KEEP.rows);
  expect(await typesOf(running)).toEqual(['INITIATE', 'RESPONSE', 'ACTIVATE', 'RESPONSE']);
  expect(await world.fleet.exchange(device.text, running)).toMatchObject({ exchange: { phase: 'active' } });
});

test.each([
  ['its receipt', () => device.say(world.link, 'RESPONSE', { status: STATUS.ACTIVATE_SUCCESS }, running)],
  ['the request that let it in', () => device.say(world.link, 'JOIN_REQ', {}, joined)],
])('a device that endlessly repeats %s does not fill the disk', async (_what, repeat) => {
  for (let n = 0; n < MANY; n++) await repeat();
  expect(await count('messages')).toBeLessThan(2 * KEEP.rows);
  expect((await typesOf(joined))[0]).toBe('JOIN_REQ');
});
