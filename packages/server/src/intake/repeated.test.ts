/** What the broker brings again, because a connection ended before its PUBACK; and what only says so. */
import { expect, onTestFinished, vi } from 'vitest';
import { fakeLink, until } from '@srup/node/testing';
import { encodeText, STATUS } from '@srup/protocol';
import { test as base } from '../../test/fixtures.ts';
import { report, type World } from '../../test/fleet/world.ts';
import { holdLink } from './connection.ts';
import { SILENT, type Meter } from '../metrics/meter.ts';
import { StoreFault } from '../store/fault.ts';
import type { Store } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Stands before the store: lets the test hold up a commit, or fail it. */
interface Gate {
  before: () => Promise<void>;
}

const test = base
  .extend('gate', (): Gate => ({ before: async () => undefined }))
  .extend('meter', () => ({ ...SILENT, repeated: vi.fn<Meter['repeated']>() }))
  .extend('worldOptions', ({ gate, meter }) => ({
    meter,
    wrapStore: (store: Store<CoreTables>): Store<CoreTables> => ({
      ...store,
      commit: async (work, announce) => {
        await gate.before();
        return store.commit(work, announce);
      },
      add: async (batch, piece, announce) => {
        await gate.before();
        return store.add(batch, piece, announce);
      },
    }),
  }));

const REPLAY_WINDOW = 64;
const text = (value: string | number) => ({ dataId: 't', data: encodeText(String(value)) });
const valuesOf = async ({ fleet }: World, device: string) =>
  (await fleet.data({ device, limit: 500 })).rows.map(({ value }) => value).reverse();

test('stored but not acknowledged when the connection ends: brought again it is neither refused nor stored twice', async ({
  world,
  joined: device,
  alsoJoined: slow,
  gate,
  meter,
}) => {
  const [reached, held] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  onTestFinished(() => {
    held.resolve(undefined); // or the server could not stop
  });
  gate.before = async () => {
    gate.before = async () => undefined;
    reached.resolve(undefined);
    await held.promise;
  };
  const before = report(world, slow, 'slow');
  await reached.promise; // messages of two devices that are in hand together can overtake each other
  const behind = [1, 2, 3].map((value) => report(world, device, value));
  await until('those behind it are stored', async () => (await valuesOf(world, device.text)).length === 3);
  world.link.disconnect();
  world.link.connect();
  held.resolve(undefined);
  await Promise.all([before, ...behind]);
  expect(await valuesOf(world, device.text)).toEqual(['1', '2', '3']);
  expect(await valuesOf(world, slow.text)).toEqual(['slow']);
  expect(await world.fleet.refusalCounts()).toEqual({});
  // The slow one too: its lane had begun it when the connection ended.
  expect(meter.repeated).toHaveBeenCalledTimes(4);
});

test('a store that fails in the middle changes no order, and loses nothing to the window of numbers', async ({
  world,
  joined: device,
  alsoJoined: other,
  gate,
}) => {
  let commits = 0;
  gate.before = async () => {
    commits += 1;
    if (commits === 5) throw new StoreFault('the disk is full');
  };
  world.link.onDisconnect = () => {
    world.link.onDisconnect = () => undefined;
    queueMicrotask(() => {
      world.link.connect();
    });
  };
  const values = Array.from({ length: 2 * REPLAY_WINDOW }, (_, index) => String(index));
  const written: { readonly topic: string; readonly bytes: Uint8Array }[] = [];
  for (const value of values) {
    for (const sender of [device, other]) written.push(await sender.write('DATA', text(value)));
  }
  await Promise.all(written.map(({ topic, bytes }) => world.link.deliver(topic, bytes)));
  expect(world.link.drops).toEqual([expect.stringContaining('the disk is full')]);
  for (const sender of [device, other]) expect(await valuesOf(world, sender.text)).toEqual(values);
  expect(await world.fleet.refusalCounts()).toEqual({});
});

test('it is found when the window has moved on', async ({ world, joined: device, meter }) => {
  const old = await report(world, device, 'old');
  for (let value = 0; value <= REPLAY_WINDOW; value++) await report(world, device, value);
  await world.link.deliver(old.topic, old.bytes, { repeated: true });
  expect(await world.fleet.refusalCounts()).toEqual({});
  expect(meter.repeated).toHaveBeenCalledTimes(1);
  await world.link.deliver(old.topic, old.bytes);
  expect(await world.fleet.refusalCounts()).toEqual({ REPLAY_OLD: 1 });
});

test('a message that comes for the first time is taken, whatever its DUP flag says', async ({
  world,
  joined: device,
  meter,
}) => {
  const { topic, bytes } = await device.write('DATA', text('new'));
  await world.link.deliver(topic, bytes, { repeated: true });
  expect(await valuesOf(world, device.text)).toEqual(['new']);
  expect(meter.repeated).not.toHaveBeenCalled();
});

test('whoever sets DUP on what is not stored is refused and counted as without it', async ({
  world,
  joined: device,
  alsoJoined: other,
  meter,
}) => {
  const stored = await report(world, device, 'stored');
  const unanswered = await device.say(world.link, 'RESPONSE', { status: STATUS.ACTION_SUCCESS });
  expect(await world.fleet.refusalCounts()).toEqual({ FLOW_TOKEN: 1 });
  // Refused messages are not kept as evidence.
  await world.link.deliver(unanswered.topic, unanswered.bytes, { repeated: true });
  // Other bytes under the number of a stored message, signed by the device itself.
  const sequence = BigInt((await world.fleet.messages({ device: device.text })).rows[0]!.sequence);
  const twin = await device.write('DATA', text('twin'), { sequence });
  await world.link.deliver(twin.topic, twin.bytes, { repeated: true });
  const forged = Uint8Array.from(stored.bytes);
  forged[forged.length - 1]! ^= 1;
  await world.link.deliver(stored.topic, forged, { repeated: true });
  await world.link.deliver(other.topic, stored.bytes, { repeated: true });
  await world.link.deliver(stored.topic, stored.bytes, { repeated: true, retained: true });
  // Without DUP the broker replays.
  await world.link.deliver(stored.topic, stored.bytes);
  expect(await world.fleet.refusalCounts()).toEqual({
    ...{ FLOW_TOKEN: 1, REPLAY_SEEN: 3, AUTH_SIGNATURE: 1, AUTH_TOPIC: 1, AUTH_RETAINED: 1 },
  });
  expect(meter.repeated).not.toHaveBeenCalled();
  expect(await valuesOf(world, device.text)).toEqual(['stored']);
});

test('what arrives before the start is held, many at once, and keeps its order', async ({ log }) => {
  const link = fakeLink();
  const connection = holdLink(link, log);
  link.connect();
  const numbers = Array.from({ length: 50 }, (_, index) => index);
  const delivered = numbers.map((n) => link.deliver('SRUP/1', Uint8Array.of(n)));
  const arrived: (number | undefined)[] = [];
  connection.begin(
    async ({ bytes }) => void arrived.push(bytes[0]),
    () => undefined,
  );
  delivered.push(link.deliver('SRUP/1', Uint8Array.of(50)));
  await Promise.all(delivered);
  expect(arrived).toEqual([...numbers, 50]);
});
