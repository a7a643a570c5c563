import { describe, expect } from 'vitest';
import { until } from '@srup/node/testing';
import { isMissing } from '../../../scripts/system-programs.ts';
import { postgresFor } from '../../../test/support/postgres-for.ts';
import { startWireProxy, type WireProxy } from '../../../test/support/postgres-wire.ts';
import { test as base } from '../test/fixtures.ts';
import { tokenOf } from '../test/fleet/device.ts';
import { acceptAll, join, openWorld, report, type World } from '../test/fleet/world.ts';
import { placeAt } from '../test/postgres.ts';
import type { FleetEvent } from './api/forms/events.ts';
import type { StoreOptions } from './store/port.ts';
import { openPostgres } from './store/postgres/open.ts';
import { TIMES } from './store/postgres/times.ts';
import { coreMigrations } from './store/schema/migrations.ts';
import type { CoreTables } from './store/schema/tables.ts';

const QUICK = { ...TIMES, statementMs: 5_000, patienceMs: 1_000, settleMs: 1_000, endMs: 500 };

/** A world that `device` has joined, on PostgreSQL behind a proxy. */
const test = base.extend('scene', async ({ server, directory, device }, { onCleanup }) => {
  const steps: (() => Promise<void>)[] = [];
  onCleanup(async () => {
    for (const step of steps.toReversed()) await step();
  });
  const later = (step: () => Promise<void>): unknown => steps.push(step);
  const url = await postgresFor(later);
  const proxy = await startWireProxy(Number(new URL(url).port));
  later(() => proxy.close());
  const place = placeAt(proxy.through(url));
  const openStore = (how: StoreOptions) => openPostgres<CoreTables>(place, coreMigrations, how, QUICK);
  const world = await openWorld({ server, directory, openStore });
  later(() => world.close());
  await acceptAll(world);
  await join(world, device);
  return { world, proxy };
});

/** Nothing is stored any more until somebody wants something: the next COMMIT is of that. */
async function untilQuiet({ store }: World, proxy: WireProxy): Promise<void> {
  const owed = () => store.read.selectFrom('outbox').select('id').execute();
  await until('an empty outbox', async () => (await owed()).length === 0);
  let seen = -1;
  await until('no commit', async () => {
    const before = seen;
    seen = proxy.commits;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return before === seen && proxy.commits === seen;
  });
}

describe.skipIf(isMissing('postgres'))('a database that goes away', () => {
  test('a command that was stored although nobody could say so is sent, shown, and done once', async ({
    scene: { world, proxy },
    device,
  }) => {
    const { fleet, link } = world;
    const events: FleetEvent[] = [];
    fleet.watch((event) => events.push(event));
    await untilQuiet(world, proxy);
    const met = proxy.atNextCommit('cut-after');
    const commanding = fleet.command([device.text], { kind: 'action', actionId: 4 });
    await met;
    proxy.setShut(true);
    const [receipt] = await commanding;
    expect(receipt).toMatchObject({
      ok: false,
      reason: expect.stringMatching(
        /it is stored and will be sent, or it is not\. Look at the exchanges of the order [0-9a-f]{16}/,
      ) as string,
    });
    const order = /order ([0-9a-f]{16})/.exec(JSON.stringify(receipt))?.[1];
    proxy.setShut(false);
    const action = await device.next(link, 'ACTION');
    const { rows } = await fleet.exchanges({ order });
    expect(rows).toMatchObject([{ exchange: { token: tokenOf(action) } }]);
    await until('its event', () =>
      events.some((event) => event.kind === 'exchange' && event.change.exchange.token === tokenOf(action)),
    );
    // The next command has the next number: what the server remembers agrees with the database.
    await fleet.command([device.text], { kind: 'action', actionId: 5 });
    await device.next(link, 'ACTION');
    expect(device.heard(link).filter(({ type }) => type === 'ACTION')).toHaveLength(2);
  });

  test('a message of a device that may be stored is not acknowledged, and is taken once', async ({
    scene: { world, proxy },
    device,
  }) => {
    const { fleet, link } = world;
    await untilQuiet(world, proxy);
    const met = proxy.atNextCommit('cut-after');
    const delivered = report(world, device, 7);
    await met;
    proxy.setShut(true);
    await until('a dropped connection', () => link.drops.length > 0);
    proxy.setShut(false);
    await until(
      'the database is back',
      async () => (await fleet.devices({}).catch(() => undefined)) !== undefined,
    );
    link.connect();
    await delivered;
    expect((await fleet.data({ device: device.text })).rows).toHaveLength(1);
  });

  test('a rule that was stored although nobody could say so holds', async ({ scene: { world, proxy } }) => {
    const { fleet } = world;
    await untilQuiet(world, proxy);
    const met = proxy.atNextCommit('cut-after');
    const setting = fleet.setJoinPolicy('valve', 'refuse');
    await met;
    proxy.setShut(true);
    await expect(setting).rejects.toMatchObject({ name: 'OutcomeUnknown' });
    proxy.setShut(false);
    await until('the rule', async () => (await fleet.joinPolicy()).valve === 'refuse');
  });

  test('while it is away a command is refused, and nothing of it is sent afterwards', async ({
    scene: { world, proxy },
    device,
  }) => {
    const { fleet, link } = world;
    await untilQuiet(world, proxy);
    proxy.setShut(true);
    proxy.cut();
    const [receipt] = await fleet.command([device.text], { kind: 'action', actionId: 4 });
    expect(receipt).toMatchObject({ ok: false, reason: expect.stringContaining('is away') as string });
    proxy.setShut(false);
    await until('the database is back', async () => {
      const [again] = await fleet.command([device.text], { kind: 'action', actionId: 5 });
      return again?.ok === true;
    });
    await device.next(link, 'ACTION');
    expect(device.heard(link).filter(({ type }) => type === 'ACTION')).toHaveLength(1);
  });
});
