import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { until } from '@srup/node/testing';
import { test as base } from '../../test/fixtures.ts';
import { report } from '../../test/fleet/world.ts';
import type { Store } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Between two looks at a store that may be at rest, in milliseconds. */
const REST_MS = 20;

/** What is known of the use of a store, and whether it can be used. */
interface Watch {
  uses: number;
  isBroken: boolean;
}

/** The same store, counting each use. Broken, it throws at whoever reads or commits. */
function watched(store: Store<CoreTables>, watch: Watch): Store<CoreTables> {
  const use = (): void => {
    watch.uses += 1;
    if (watch.isBroken) throw new Error('nobody may use the store now');
  };
  const read = new Proxy(store.read, {
    get: (target, name) => {
      use();
      const value = Reflect.get(target, name) as unknown;
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return {
    ...store,
    read: read,
    commit: (work, announce) => {
      use();
      return store.commit(work, announce);
    },
  };
}

const test = base
  .extend('watch', (): Watch => ({ uses: 0, isBroken: false }))
  // In manual time no timer looks at the store.
  .extend('worldOptions', ({ clock, watch }) => ({
    time: clock,
    wrapStore: (store: Store<CoreTables>) => watched(store, watch),
  }));

test('an echo of our own message, new or brought again, is acknowledged without a look at the store', async ({
  world,
  joined: device,
  watch,
}) => {
  await world.fleet.command([device.text], { kind: 'action', actionId: 4 });
  await device.next(world.link, 'ACTION');
  await until('a store at rest', async () => {
    const before = watch.uses;
    await pause(REST_MS);
    return watch.uses === before;
  });
  const own = world.link.published.filter(({ topic }) => topic === device.topic);
  expect(own.length).toBeGreaterThan(2);

  watch.isBroken = true;
  watch.uses = 0;
  for (const { topic, bytes } of [...own, ...own]) await world.link.deliver(topic, bytes);
  expect(watch.uses).toBe(0);
  expect(world.link.drops).toEqual([]);
  expect(world.log.lines.filter((line) => /^(warn|error)/.test(line))).toEqual([]);

  // A message of the device does need the store.
  await report(world, device, 1);
  expect(watch.uses).toBeGreaterThan(0);
  expect(world.log.lines.join()).toContain('nobody may use the store now');
  watch.isBroken = false;
});
