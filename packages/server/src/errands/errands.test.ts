import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLanes, silentLog, type Lanes } from '@srup/node';
import { until } from '@srup/node/testing';
import { manualClock, type ManualClock } from '@srup/protocol/testing';
import type { Store } from '../store/port.ts';
import { openSqlite } from '../store/sqlite/open.ts';
import { createErrands, type Errand, type Errands, type PerformErrand } from './errands.ts';
import { coreMigrations } from '../store/schema/migrations.ts';
import type { CoreTables } from '../store/schema/tables.ts';

let folder: string;
let store: Store<CoreTables>;
let clock: ManualClock;
let lanes: Lanes;
let errands: Errands;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-errands-'));
  store = await openSqlite<CoreTables>(join(folder, 'server.db'), coreMigrations);
  clock = manualClock(Date.UTC(2026, 10, 29));
  lanes = createLanes();
  errands = make();
});

afterEach(async () => {
  errands.stop();
  await errands.settle();
  await store.close();
  await rm(folder, { recursive: true });
});

function make(): Errands {
  return createErrands({ store, lanes, clock, delay: clock.delay, log: silentLog });
}

async function ask(owner: string, kind = 'note', afterMs = 0): Promise<void> {
  const now = clock.now();
  const errand = { owner, kind, body: JSON.stringify({ for: owner }), after: now + afterMs, created_at: now };
  await store.commit(
    (write) => write.insertInto('errands').values(errand).execute(),
    () => [{ of: 'errands', place: errand.after }],
  );
}

async function left(): Promise<readonly string[]> {
  const rows = await store.read.selectFrom('errands').select('owner').orderBy('id').execute();
  return rows.map(({ owner }) => owner);
}

/** Lets the timers ring, and what they begin come to an end. */
async function pass(ms: number): Promise<void> {
  clock.advance(ms);
  await new Promise((resolve) => setTimeout(resolve, 5));
  await errands.settle();
}

const done: Errand[] = [];
const note: PerformErrand = async (errand) => void done.push(errand);

beforeEach(() => {
  done.length = 0;
});

test('an errand is performed once, with what it was asked, and is gone', async () => {
  errands.start({ note });
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

test('what was asked before a stop is performed after the next start', async () => {
  await ask('device/a1');
  await ask('device/b2');
  errands.stop();
  errands = make();
  errands.start({ note });
  await until('both are performed', async () => {
    await pass(100);
    return (await left()).length === 0;
  });
  expect(done.map(({ owner }) => owner)).toEqual(['device/a1', 'device/b2']);
});

test('an errand waits for its time', async () => {
  errands.start({ note });
  await ask('device/a1', 'note', 10_000);
  await pass(9_000);
  expect(done).toEqual([]);
  await until('it is performed', async () => {
    await pass(1_000);
    return done.length === 1;
  });
});

test('an errand that fails is tried again until it succeeds, and holds up no other', async () => {
  let failures = 2;
  const flaky: PerformErrand = async (errand) => {
    if (failures-- > 0) throw new Error('away');
    done.push(errand);
  };
  errands.start({ flaky, note });
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

test('an errand of a kind that nobody performs waits, and is not lost', async () => {
  errands.start({ note });
  await ask('device/a1', 'from a newer version');
  await pass(200_000);
  expect(await left()).toEqual(['device/a1']);
});

test('the lane that a performer is given is its owner’s', async () => {
  const order: string[] = [];
  let release: () => void = () => undefined;
  const held = lanes.run('device/a1', () => new Promise<void>((resolve) => (release = resolve)));
  errands.start({
    note: (errand, lane) => lane(async () => void order.push(errand.owner)),
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
