import { expect } from 'vitest';
import { createLanes, silentLog, type Lanes } from '@srup/node';
import { until } from '@srup/node/testing';
import type { ManualClock } from '@srup/protocol/testing';
import { test as base } from '../../test/fixtures.ts';
import type { Store } from '../store/port.ts';
import { createErrands, type Errand, type Errands, type PerformErrand } from './errands.ts';
import type { CoreTables } from '../store/schema/tables.ts';

const DAY_MS = 86_400_000;

/** Errands on a store, and what a test does to them. */
interface Desk {
  readonly clock: ManualClock;
  readonly lanes: Lanes;
  errands: Errands;
  /** What `note` performed, in order. */
  readonly done: Errand[];
  readonly note: PerformErrand;
  readonly ask: (owner: string, kind?: string, afterMs?: number) => Promise<void>;
  /** The owners of the errands that are left. */
  readonly left: () => Promise<readonly string[]>;
  /** Lets the timers ring, and what they begin come to an end. */
  readonly pass: (ms: number) => Promise<void>;
  /** Ends the errands, and begins them again on the same store. */
  readonly restart: () => void;
}

const test = base.extend('desk', ({ store, clock }, { onCleanup }): Desk => {
  const lanes = createLanes();
  const make = () => createErrands({ store, clock, delay: clock.delay, log: silentLog });
  const done: Errand[] = [];
  const desk: Desk = {
    ...{ clock, lanes, done },
    errands: make(),
    note: async (errand) => void done.push(errand),
    ask: (owner, kind = 'note', afterMs = 0) => ask(store, clock, owner, kind, afterMs),
    left: async () => {
      const rows = await store.read.selectFrom('errands').select('owner').orderBy('id').execute();
      return rows.map(({ owner }) => owner);
    },
    pass: async (ms) => {
      clock.advance(ms);
      await new Promise((resolve) => setTimeout(resolve, 5));
      await desk.errands.settle();
    },
    restart: () => {
      desk.errands.stop();
      desk.errands = make();
    },
  };
  onCleanup(async () => {
    desk.errands.stop();
    await desk.errands.settle();
  });
  return desk;
});

async function ask(
  store: Store<CoreTables>,
  clock: ManualClock,
  owner: string,
  kind: string,
  afterMs: number,
): Promise<void> {
  const now = clock.now();
  const errand = { owner, kind, body: JSON.stringify({ for: owner }), after: now + afterMs, created_at: now };
  await store.commit(
    (write) => write.insertInto('errands').values(errand).execute(),
    () => [{ of: 'errands', place: errand.after }],
  );
}

test('an errand is performed once, with what it was asked, and is gone', async ({ desk }) => {
  const { done, note, ask, left, pass } = desk;
  desk.errands.start({ note });
  await pass(100);
  await ask('device/a1');
  await until('it is performed', async () => {
    await pass(100);
    return (await left()).length === 0;
  });
  expect(done).toMatchObject([{ owner: 'device/a1', kind: 'note', body: { for: 'device/a1' } }]);
  await pass(120_000);
  expect(done).toHaveLength(1);
});

test('what was asked before a stop is performed after the next start', async ({ desk }) => {
  const { done, note, ask, left, pass } = desk;
  await ask('device/a1');
  await ask('device/b2');
  desk.restart();
  desk.errands.start({ note });
  await until('both are performed', async () => {
    await pass(100);
    return (await left()).length === 0;
  });
  expect(done.map(({ owner }) => owner)).toEqual(['device/a1', 'device/b2']);
});

test('an errand waits for its time', async ({ desk }) => {
  const { done, note, ask, pass } = desk;
  desk.errands.start({ note });
  await ask('device/a1', 'note', 10_000);
  await pass(9_000);
  expect(done).toEqual([]);
  await until('it is performed', async () => {
    await pass(1_000);
    return done.length === 1;
  });
});

test('an errand that fails is tried again until it succeeds, and holds up no other', async ({ desk }) => {
  const { done, note, ask, left, pass } = desk;
  let failures = 2;
  const flaky: PerformErrand = async (errand) => {
    if (failures-- > 0) throw new Error('away');
    done.push(errand);
  };
  desk.errands.start({ flaky, note });
  await ask('device/a1', 'flaky');
  await ask('device/b2');
  await until('the other one is performed', async () => {
    await pass(100);
    return done.some(({ owner }) => owner === 'device/b2');
  });
  expect(await left()).toEqual(['device/a1']);
  await until('it succeeded', async () => {
    await pass(60_000);
    return (await left()).length === 0;
  });
  expect(failures).toBe(-1);
});

test('an errand of a kind that nobody performs waits, and is not lost', async ({ desk }) => {
  const { note, ask, left, pass } = desk;
  desk.errands.start({ note });
  await ask('device/a1', 'from a newer version');
  await pass(200_000);
  expect(await left()).toEqual(['device/a1']);
});

test('an errand that waits in the lane of its owner holds up no other owner', async ({ desk }) => {
  const { clock, lanes, ask, left, pass } = desk;
  const order: string[] = [];
  let release: () => void = () => undefined;
  const held = lanes.run('device/a1', () => new Promise<void>((resolve) => (release = resolve)));
  desk.errands.start({
    note: (errand) => lanes.run(errand.owner, async () => void order.push(errand.owner)),
  });
  await ask('device/a1');
  await ask('device/b2');
  clock.advance(100);
  await until('the other owner’s errand is performed', async () => {
    clock.advance(100);
    return (await left()).length === 1;
  });
  expect(order).toEqual(['device/b2']);
  release();
  await held;
  await until('its own is performed', async () => {
    await pass(100);
    return (await left()).length === 0;
  });
  expect(order).toEqual(['device/b2', 'device/a1']);
});

test('an errand for next month waits for next month', async ({ desk }) => {
  const { ask, left, pass } = desk;
  desk.errands.start({ note: desk.note });
  await ask('rollout/r1', 'note', 30 * DAY_MS);
  await pass(DAY_MS);
  expect(await left()).toEqual(['rollout/r1']);
});

test('an errand of a clock that was ahead does not wait for that clock', async ({ desk }) => {
  const { clock, ask, left, pass } = desk;
  clock.set(clock.now() + 365 * DAY_MS);
  await ask('device/a1', 'note', 1_000);
  clock.set(clock.now() - 365 * DAY_MS);
  desk.errands.start({ note: desk.note });
  await until('it is performed', async () => {
    await pass(100);
    return (await left()).length === 0;
  });
});
