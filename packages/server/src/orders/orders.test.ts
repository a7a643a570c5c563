import { describe, expect } from 'vitest';
import { systemClock, systemRandom } from '@srup/node';
import type { TokenKey } from '@srup/protocol';
import { test as base } from '../../test/fixtures.ts';
import { makeDevice, tokenOf, type TestDevice } from '../../test/fleet/device.ts';
import { update } from '../../test/fleet/world.ts';
import { tokenCaller } from '../api/callers.ts';
import type { CommandReceipt, OrderBody } from '../api/forms/orders.ts';
import { openArtifacts } from '../artifacts/artifacts.ts';
import { createOrders, type Orders } from './orders.ts';

const SERVER = 'https://fleet.test:8443';
const MIA = tokenCaller({ id: '3f2a91c0', name: 'mia' });
const [ONE, TWO, THREE] = ['1', '2', '3'].map((digit) => digit.repeat(64)) as [string, string, string];
const ASK = { kind: 'identify' } as const;

const test = base
  .extend('other', ({ server }) => makeDevice(server, 'ed25519', 'pump'))
  .extend('artifacts', ({ folder, world: { store } }) =>
    openArtifacts({ folder }, { store, clock: systemClock }),
  )
  .extend('orders', ({ world: { fleet }, artifacts }): Orders => {
    const ports = { fleet, artifacts, command: fleet.commandInOrder, random: systemRandom };
    return createOrders(ports, { server: SERVER });
  })
  /** Places an order of Mia's. */
  .extend(
    'place',
    ({ orders }) =>
      (order: OrderBody) =>
        orders.place(order, MIA),
  )
  /** Stores an artifact, and gives its digest. */
  .extend('upload', ({ artifacts }) => async (text: string, version?: string): Promise<string> => {
    const content = (async function* () {
      yield Buffer.from(text);
    })();
    return (await artifacts.add({ content, name: text, version })).digest;
  })
  /** The bodies of the orders in the audit trail, oldest first. */
  .extend('trail', ({ world: { store } }) => async () => {
    const rows = store.read.selectFrom('audit').select(['device', 'body']).where('kind', '=', 'order');
    return (await rows.orderBy('seq').execute()).map(({ device, body }) => ({
      device,
      ...(JSON.parse(body) as { order: string; orderId: string; digest?: string; by: unknown }),
    }));
  });

const outcomesOf = (receipts: readonly CommandReceipt[]) =>
  receipts.map((receipt) => [receipt.device, receipt.ok ? receipt.rollback?.digest : receipt.reason]);
const idsOf = (...devices: TestDevice[]) => devices.map(({ text }) => text);

describe('an order selects', () => {
  test('the devices that it names, each once, in their order, known or not', async ({
    place,
    joined,
    alsoJoined,
  }) => {
    const [first, second] = idsOf(alsoJoined, joined) as [string, string];
    const receipts = await place({ devices: [first, 'abc', second, first], command: ASK });
    expect(receipts).toMatchObject([
      { device: first, ok: true },
      { device: 'abc', ok: false, reason: 'no device with this id is known' },
      { device: second, ok: true },
    ]);
  });

  test('the joined devices of a type', async ({ place, joined: _demo, alsoJoined }) => {
    const receipts = await place({ type: 'pump', command: ASK });
    expect(receipts).toMatchObject([{ device: alsoJoined.text, ok: true }]);
  });

  test('all joined devices in the order of their ids, and no other', async ({
    world,
    place,
    joined,
    alsoJoined,
    directory,
    server,
  }) => {
    await world.fleet.setJoinPolicy('*', 'ask');
    const waiting = await makeDevice(server);
    directory.find = async () => waiting.enrolment;
    await waiting.say(world.link, 'JOIN_REQ', {});
    const receipts = await place({ all: true, command: ASK });
    expect(receipts.map(({ device }) => device)).toEqual(idsOf(joined, alsoJoined).sort());
    expect(receipts.every(({ ok }) => ok)).toBe(true);
  });

  test.for<[Partial<OrderBody>, RegExp]>([
    [{ type: 'valve' }, /no joined device of the type "valve" is known/],
    [{ all: true }, /no joined device is known/],
  ])('no device by %o, and is refused with that reason', async ([selection, words], { place }) => {
    const refused = place({ ...selection, command: ASK });
    await expect(refused).rejects.toMatchObject({
      kind: 'not-found',
      message: expect.stringMatching(words) as string,
    });
  });
});

describe('an order of', () => {
  test('an update names where the artifact is fetched; one that is not stored is refused', async ({
    world,
    place,
    joined,
    upload,
    trail,
  }) => {
    const digest = await upload('app');
    await place({ devices: idsOf(joined), command: { kind: 'update', digest, activate: false } });
    const initiate = await joined.next(world.link, 'INITIATE');
    expect(initiate.body).toEqual({ url: `${SERVER}/artifacts/${digest}`, digest });
    expect((await trail()).at(-1)).toMatchObject({ order: 'update', digest, activate: false, by: MIA });
    const missing = place({
      devices: idsOf(joined),
      command: { kind: 'update', digest: ONE, activate: true },
    });
    await expect(missing).rejects.toMatchObject({ kind: 'not-found' });
  });

  test.for<[Extract<OrderBody['command'], { kind: 'data' }>['value'], string]>([
    [{ type: 'text', text: 'warm äß' }, '7761726d20c3a4c39f'],
    [{ type: 'int32', number: -2 }, 'feffffff'],
    [{ type: 'double', number: -1.5 }, '000000000000f8bf'],
    [{ type: 'hex', hex: '00ff07' }, '00ff07'],
  ])('data carries %o in the form of P 10.6', async ([value, hex], { world, place, joined }) => {
    await place({ devices: idsOf(joined), command: { kind: 'data', dataId: 'level', value } });
    const { body } = await joined.next(world.link, 'DATA');
    expect(body).toEqual({ dataId: 'level', data: Uint8Array.from(Buffer.from(hex, 'hex')) });
  });
});

describe('a rollback goes back', () => {
  test('to what the device ran before, if the order names nothing', async ({ world, place, joined }) => {
    await update(world, joined, { digest: ONE });
    await update(world, joined, { digest: TWO });
    const [receipt] = await place({ devices: idsOf(joined), command: { kind: 'rollback' } });
    expect(receipt).toMatchObject({ ok: true, rollback: { digest: ONE, isStored: false } });
    const initiate = await joined.next(world.link, 'INITIATE');
    expect(initiate.body).toEqual({ url: `${SERVER}/artifacts/${ONE}`, digest: ONE });
    const view = await world.fleet.exchange(joined.text, tokenOf(initiate));
    expect(view?.exchange).toMatchObject({ isRollback: true, activateAtOnce: true });
  });

  test.for([
    ['a digest', ONE],
    ['the first eight digits of a digest', ONE.slice(0, 8)],
  ] as const)('to %s', async ([, to], { world, place, joined }) => {
    await update(world, joined, { digest: ONE });
    await update(world, joined, { digest: TWO });
    await update(world, joined, { digest: THREE });
    const receipts = await place({ devices: idsOf(joined), command: { kind: 'rollback', to } });
    expect(outcomesOf(receipts)).toEqual([[joined.text, ONE]]);
  });

  test('to a version: of those that were built twice, to the one that this device ran last', async ({
    world,
    place,
    joined,
    upload,
  }) => {
    const [first, second, never] = [
      await upload('a', '1.0'),
      await upload('b', '1.0'),
      await upload('c', '1.0'),
    ];
    for (const digest of [first, second, TWO]) await update(world, joined, { digest });
    const [receipt] = await place({ devices: idsOf(joined), command: { kind: 'rollback', to: '1.0' } });
    expect(receipt).toMatchObject({ rollback: { digest: second, isStored: true } });
    expect([first, never]).not.toContain(second);
  });

  test('not to seven digits: they are the name of a version', async ({ world, place, joined }) => {
    await update(world, joined, { digest: ONE });
    await update(world, joined, { digest: TWO });
    const to = ONE.slice(0, 7);
    const receipts = await place({ devices: idsOf(joined), command: { kind: 'rollback', to } });
    expect(outcomesOf(receipts)).toEqual([
      [joined.text, `this device has not proven to have run ${to}: use an update to get it there`],
    ]);
  });

  test('not to what it runs now, nor to what failed on it', async ({ world, place, joined }) => {
    await update(world, joined, { digest: ONE });
    const command = { kind: 'rollback', to: ONE } as const;
    expect(outcomesOf(await place({ devices: idsOf(joined), command }))).toEqual([
      [joined.text, `this device already runs ${ONE}`],
    ]);
    const receipts = await place({ devices: idsOf(joined), command: { kind: 'rollback', to: TWO } });
    expect(outcomesOf(receipts)[0]?.[1]).toContain('use an update');
  });

  test('with receipts in the order of the devices, whoever can go back and whoever can not', async ({
    world,
    place,
    joined,
    alsoJoined,
  }) => {
    await update(world, joined, { digest: ONE });
    await update(world, joined, { digest: TWO });
    const devices = ['abc', joined.text, alsoJoined.text];
    const reason = 'this device has not proven to have run anything before what it runs now';
    for (const order of [devices, devices.toReversed()]) {
      const receipts = await place({ devices: order, command: { kind: 'rollback' } });
      const expected = [
        ['abc', reason],
        [joined.text, ONE],
        [alsoJoined.text, reason],
      ];
      expect(outcomesOf(receipts)).toEqual(order === devices ? expected : expected.toReversed());
    }
  });

  test('under one order id, though the devices go back to different software', async ({
    world,
    place,
    joined,
    alsoJoined,
    trail,
  }) => {
    for (const digest of [ONE, THREE]) await update(world, joined, { digest });
    for (const digest of [TWO, THREE]) await update(world, alsoJoined, { digest });
    const before = (await trail()).length;
    const receipts = await place({ all: true, command: { kind: 'rollback' } });
    const taken = receipts.filter((receipt) => receipt.ok);
    expect(new Map(outcomesOf(taken) as [string, string][])).toEqual(
      new Map([
        [joined.text, ONE],
        [alsoJoined.text, TWO],
      ]),
    );
    const [order, ...more] = new Set(taken.map((receipt) => receipt.order));
    expect(more).toEqual([]);
    const ofOrder = await world.fleet.exchanges({ order: order! });
    const key = (device: string, token: TokenKey) => `${device} ${token}`;
    expect(ofOrder.rows.map(({ device, exchange }) => key(device, exchange.token)).sort()).toEqual(
      taken.map(({ device, token }) => key(device, token)).sort(),
    );
    const entries = (await trail()).slice(before);
    expect(entries.map(({ device, orderId, by }) => ({ device, orderId, by }))).toEqual(
      expect.arrayContaining(taken.map(({ device }) => ({ device, orderId: order, by: MIA }))),
    );
    expect(entries).toHaveLength(2);
  });
});
