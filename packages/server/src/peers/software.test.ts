import { afterEach, beforeEach, expect, test } from 'vitest';
import { STATUS } from '@srup/protocol';
import { directoryOf, makeDevice, makeServer, tokenOf, type TestDevice } from '../../test/fleet/device.ts';
import { join, openWorld, type World } from '../../test/fleet/world.ts';

const [FACTORY, TWO, THREE, HAND] = ['1', '2', '3', '4'].map((digit) => digit.repeat(64)) as [
  string,
  string,
  string,
  string,
];
const named = (digest: string) => `srup-agent/0.1.0 (linux x64; node 24.0.0) running ${digest}`;

let world: World;
let device: TestDevice;

beforeEach(async () => {
  const server = await makeServer();
  device = await makeDevice(server);
  world = await openWorld({ server, directory: directoryOf(device) });
  await world.fleet.setJoinPolicy('*', 'accept');
  await join(world, device, named(FACTORY));
});
afterEach(async () => {
  await world.close();
});

async function update(digest: string, how: { isRollback?: true; fails?: true } = {}): Promise<void> {
  const { isRollback, fails } = how;
  await world.fleet.command([device.text], {
    ...{ kind: 'update', url: 'https://files.test/x', digest, activateAtOnce: true },
    ...(isRollback && { isRollback }),
  });
  const token = tokenOf(await device.next(world.link, 'INITIATE'));
  await device.say(world.link, 'RESPONSE', { status: STATUS.UPDATE_SUCCESS }, token);
  await device.next(world.link, 'ACTIVATE');
  const status = fails ? STATUS.ACTIVATE_FAIL : STATUS.ACTIVATE_SUCCESS;
  await device.say(world.link, 'RESPONSE', { status }, token);
  if (!fails) await identify(digest);
}

async function identify(digest: string): Promise<void> {
  const question = tokenOf(await device.next(world.link, 'ID_REQUEST'));
  const data = new TextEncoder().encode(named(digest));
  await device.say(world.link, 'DATA', { dataId: 'IDENTIFICATION_RESPONSE', data }, question);
}

/** What the device ran, newest first, and whether a rollback can go back to it. */
const ran = async () =>
  (await world.fleet.software(device.text)).map(({ digest, isWayBack }) => [digest, isWayBack]);

test("a device's own signed messages tell what it ran, also what it came with", async () => {
  expect(await ran()).toEqual([[FACTORY, true]]);
  await update(TWO);
  await update(THREE, { fails: true });
  expect(await ran()).toEqual([
    [TWO, true],
    [FACTORY, true],
  ]);
  await world.restart();
  expect(await ran()).toHaveLength(2);
});

test('a rollback leaves behind what came after: the next one goes further back', async () => {
  await update(TWO);
  await update(THREE);
  await update(TWO, { isRollback: true });
  expect(await ran()).toEqual([
    [THREE, false],
    [TWO, true],
    [FACTORY, true],
  ]);
  await update(FACTORY, { isRollback: true });
  expect((await ran()).filter(([, isWayBack]) => isWayBack)).toEqual([[FACTORY, true]]);
  // An update to it is a new beginning.
  await update(THREE);
  expect((await ran())[0]).toEqual([THREE, true]);
});

test('what ran once and fails now is no way back', async () => {
  await update(TWO);
  await update(THREE);
  await update(TWO, { fails: true });
  expect(await ran()).toEqual([
    [THREE, true],
    [TWO, false],
    [FACTORY, true],
  ]);
});

test('software that was installed by hand is known when our agent names it; other agents prove nothing', async () => {
  await world.fleet.command([device.text], { kind: 'identify' });
  await identify(HAND);
  expect((await ran())[0]).toEqual([HAND, true]);
  await world.fleet.command([device.text], { kind: 'identify' });
  const question = tokenOf(await device.next(world.link, 'ID_REQUEST'));
  const data = new TextEncoder().encode(`other-agent/1 (x) running ${TWO}`);
  await device.say(world.link, 'DATA', { dataId: 'IDENTIFICATION_RESPONSE', data }, question);
  expect(await ran()).toHaveLength(2);
});

test('a device that names something new each time does not fill the disk', async () => {
  for (let count = 0; count < 130; count++) {
    const data = new TextEncoder().encode(named(count.toString(16).padStart(64, '0')));
    await device.say(world.link, 'DATA', { dataId: 'IDENTIFICATION_RESPONSE', data });
  }
  expect((await ran()).length).toBeLessThanOrEqual(101);
});
