import { expect } from 'vitest';
import { STATUS } from '@srup/protocol';
import { test as base } from '../../test/fixtures.ts';
import { identify, update } from '../../test/fleet/world.ts';

const [FACTORY, TWO, THREE, HAND] = ['1', '2', '3', '4'].map((digit) => digit.repeat(64)) as [
  string,
  string,
  string,
  string,
];
const named = (digest: string) => `srup-agent/0.1.0 (linux x64; node 24.0.0) running ${digest}`;

interface How {
  readonly isRollback?: true;
  readonly fails?: true;
}

const test = base
  .extend('identification', () => named(FACTORY))
  /** Updates the device, which then names what it runs. */
  .extend('updateTo', ({ world, joined }) => async (digest: string, how: How = {}): Promise<void> => {
    const { isRollback, fails } = how;
    const status = fails ? STATUS.ACTIVATE_FAIL : STATUS.ACTIVATE_SUCCESS;
    await update(world, joined, { digest, ...(isRollback && { isRollback }) }, status);
    if (!fails) await identify(world.link, joined, named(digest));
  })
  /** What the device ran, newest first, and whether a rollback can go back to it. */
  .extend('ran', ({ world, joined }) => async () => {
    const software = await world.fleet.software(joined.text);
    return software.map(({ digest, isWayBack }) => [digest, isWayBack]);
  });

test("a device's own signed messages tell what it ran, also what it came with", async ({
  world,
  updateTo,
  ran,
}) => {
  expect(await ran()).toEqual([[FACTORY, true]]);
  await updateTo(TWO);
  await updateTo(THREE, { fails: true });
  expect(await ran()).toEqual([
    [TWO, true],
    [FACTORY, true],
  ]);
  await world.restart();
  expect(await ran()).toHaveLength(2);
});

test('a rollback leaves behind what came after: the next one goes further back', async ({
  updateTo,
  ran,
}) => {
  await updateTo(TWO);
  await updateTo(THREE);
  await updateTo(TWO, { isRollback: true });
  expect(await ran()).toEqual([
    [THREE, false],
    [TWO, true],
    [FACTORY, true],
  ]);
  await updateTo(FACTORY, { isRollback: true });
  expect((await ran()).filter(([, isWayBack]) => isWayBack)).toEqual([[FACTORY, true]]);
  // An update to it is a new beginning.
  await updateTo(THREE);
  expect((await ran())[0]).toEqual([THREE, true]);
});

test('what ran once and fails now is no way back', async ({ updateTo, ran }) => {
  await updateTo(TWO);
  await updateTo(THREE);
  await updateTo(TWO, { fails: true });
  expect(await ran()).toEqual([
    [THREE, true],
    [TWO, false],
    [FACTORY, true],
  ]);
});

test('software that was installed by hand is known when our agent names it; other agents prove nothing', async ({
  world,
  joined: device,
  ran,
}) => {
  await world.fleet.command([device.text], { kind: 'identify' });
  await identify(world.link, device, named(HAND));
  expect((await ran())[0]).toEqual([HAND, true]);
  await world.fleet.command([device.text], { kind: 'identify' });
  await identify(world.link, device, `other-agent/1 (x) running ${TWO}`);
  expect(await ran()).toHaveLength(2);
});

test('a device that names something new each time does not fill the disk', async ({
  world,
  joined: device,
  ran,
}) => {
  for (let count = 0; count < 130; count++) {
    const data = new TextEncoder().encode(named(count.toString(16).padStart(64, '0')));
    await device.say(world.link, 'DATA', { dataId: 'IDENTIFICATION_RESPONSE', data });
  }
  expect((await ran()).length).toBeLessThanOrEqual(101);
});
