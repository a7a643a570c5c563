import { expect } from 'vitest';
import { until } from '@srup/node/testing';
import { encodeText, STATUS, tokenKey, type SignKey } from '@srup/protocol';
import { behind } from '../test/database.ts';
import { test } from '../test/fixtures.ts';
import { makeDevice, tokenOf, type TestDevice } from '../test/fleet/device.ts';
import { report, stage, type World } from '../test/fleet/world.ts';
import { jam, spoil } from '../test/spoil.ts';
import { SILENT } from './metrics/meter.ts';

const act = ({ fleet }: World, ...devices: TestDevice[]) =>
  fleet.command(
    devices.map(({ text }) => text),
    { kind: 'action', actionId: 4 },
  );
const dataOf = async ({ fleet }: World, { text }: TestDevice) => (await fleet.data({ device: text })).rows;

test.for(['is read-only', 'is full'] as const)(
  'while the disk %s nothing is acknowledged; brought again it is taken, once',
  async (trouble, { openJoined, device, other }) => {
    const world = await openJoined();
    const mend = await spoil(world.store, trouble);
    const big = { dataId: 't', data: encodeText('x'.repeat(20_000)) }; // more than the free pages hold
    const delivered = device.say(world.link, 'DATA', big);
    await until('a dropped connection', () => world.link.drops.length > 0);
    expect(world.link.drops).toEqual([expect.stringContaining('StoreFault')]);
    const [receipt] = await world.fleet.command([other.text], { kind: 'data', ...big });
    expect(receipt).toMatchObject({
      ok: false,
      reason: expect.stringContaining('could not store') as string,
    });
    await mend();
    world.link.connect();
    await delivered;
    expect(await dataOf(world, device)).toHaveLength(1);
    expect((await world.fleet.refusals({})).rows).toEqual([]);
    const published = world.link.published.length;
    await act(world, other);
    await other.next(world.link, 'ACTION');
    expect(world.link.published.length).toBe(published + 1);
  },
);

test('a message that makes the program fail is dropped and jams nothing', async ({
  openJoined,
  device,
  server,
  directory,
}) => {
  const world = await openJoined();
  const broken = await makeDevice(server);
  const publicPem = 'not a key';
  directory.find = async () => ({ ...broken.enrolment, publicPem });
  await broken.say(world.link, 'JOIN_REQ', {});
  await report(world, device, 1);
  expect(await dataOf(world, device)).toHaveLength(1);
  expect(world.link.drops).toEqual([]);
  expect(world.log.lines.filter((line) => line.startsWith('error'))).toEqual([
    expect.stringContaining('a message could not be handled and was dropped'),
  ]);
});

test('a message that can never be stored is dropped and jams nothing', async ({ openJoined, device }) => {
  const world = await openJoined();
  await jam(world.store, "insert on data for each row when (new.data_id = 'cursed')", 'mistake');
  await device.say(world.link, 'DATA', { dataId: 'cursed', data: encodeText('1') });
  await report(world, device, 2);
  expect(await dataOf(world, device)).toHaveLength(1);
  expect(world.link.drops).toEqual([]);
});

test('a key service that hangs holds a stranger up, for its time and no longer', async ({
  openJoined,
  server,
  directory,
  clock,
}) => {
  const world = await openJoined({ time: clock });
  const stranger = await makeDevice(server);
  directory.find = () => new Promise(() => undefined);
  const asked = stranger.say(world.link, 'JOIN_REQ', {});
  let isOver = false;
  void asked.then(() => (isOver = true));
  await until('the end of its message', () => {
    clock.advance(1_000);
    return isOver;
  });
  expect((await world.fleet.refusals({})).rows).toMatchObject([{ code: 'AUTH_SENDER' }]);
});

test('a signature that hangs for one device delays no other', async ({
  openJoined,
  device,
  other,
  server,
}) => {
  let release: () => void = () => undefined;
  const hangs = new Promise<void>((resolve) => (release = resolve));
  const real = server.keys.ed25519;
  const ed25519: SignKey = {
    ...real,
    signAside: async (data) => {
      if (Buffer.from(data).includes('https://hang.test/')) await hangs;
      return real.signAside(data);
    },
  };
  const world = await openJoined({ keys: { ...server.keys, ed25519 } });
  const update = {
    kind: 'update',
    url: 'https://hang.test/',
    digest: 'b'.repeat(64),
    activateAtOnce: true,
  } as const;
  await world.fleet.command([device.text], update);
  await act(world, other);
  await other.next(world.link, 'ACTION');
  // Its own messages are heard all the while.
  await report(world, device, 1);
  expect(await dataOf(world, device)).toHaveLength(1);
  release();
  await device.next(world.link, 'INITIATE');
});

test('publishing that hangs for one device delays no other', async ({ openJoined, device, other }) => {
  let release: () => void = () => undefined;
  const hangs = new Promise<void>((resolve) => (release = resolve));
  const world = await openJoined();
  world.link.onPublish = (topic) => (topic === device.topic ? hangs : undefined);
  await act(world, device, other);
  await other.next(world.link, 'ACTION');
  await act(world, other);
  await other.next(world.link, 'ACTION');
  expect(device.heard(world.link).filter(({ type }) => type === 'ACTION')).toEqual([]);
  release();
  await device.next(world.link, 'ACTION');
});

test('a broker that refuses one message gets it again, and the later ones after it', async ({
  openJoined,
  device,
  clock,
}) => {
  const world = await openJoined({ time: clock });
  let refusals = 3;
  world.link.onPublish = (topic) => {
    if (topic === device.topic && refusals-- > 0) throw new Error('no');
  };
  await act(world, device);
  await act(world, device);
  await until('both commands', () => {
    clock.advance(1_000);
    return device.heard(world.link).filter(({ type }) => type === 'ACTION').length === 2;
  });
  expect(refusals).toBe(-2);
});

test('while the broker is away commands are taken and timeouts wait; then all of it goes out once', async ({
  openJoined,
  device,
  other,
  clock,
}) => {
  const world = await openJoined({ time: clock });
  world.link.disconnect();
  const receipts = await act(world, device, other);
  for (let minutes = 0; minutes < 60; minutes++) {
    clock.advance(60_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await world.fleet.exchanges({ open: true, kind: 'action' })).rows).toHaveLength(2);
  world.link.connect();
  const action = await device.next(world.link, 'ACTION');
  expect(receipts[0]).toMatchObject({ token: tokenOf(action) });
  await other.next(world.link, 'ACTION');
});

test('after a restart all goes on: joins that wait, messages that are owed, timeouts, events', async ({
  openJoined,
  device,
  other,
  server,
  directory,
  clock,
}) => {
  const world = await openJoined({ time: clock });
  const newcomer = await makeDevice(server);
  directory.find = async () => newcomer.enrolment;
  await world.fleet.setJoinPolicy('*', 'ask');
  const { token } = await newcomer.say(world.link, 'JOIN_REQ', {});
  await act(world, device);
  const first = await device.next(world.link, 'ACTION');
  world.link.disconnect();
  await act(world, other);
  const seen: number[] = [];
  const stop = world.fleet.watch(({ seq }) => seen.push(seq), 0);
  await until('events', () => seen.length > 5);
  stop();

  await world.restart();
  await act(world, other);
  const owed = await other.next(world.link, 'ACTION');
  const later = await other.next(world.link, 'ACTION');
  expect(later.sequence).toBe(owed.sequence + 1n);
  await world.fleet.decideJoin(newcomer.text, token, 'accept');
  await newcomer.next(world.link, 'RESPONSE');
  await until('the command again', () => {
    clock.advance(1_000);
    return device.heard(world.link).filter(({ type }) => type === 'ACTION').length > 1;
  });
  const again = await device.next(world.link, 'ACTION');
  expect(tokenOf(again)).toBe(tokenOf(first));
  expect(again.sequence).toBeGreaterThan(first.sequence);
  const missed: number[] = [];
  world.fleet.watch(({ seq }) => missed.push(seq), seen.at(-1));
  await until('the events that were missed', () => missed.length > 2);
  expect(missed[0]).toBe(seen.at(-1)! + 1);
});

test('an exchange without an answer expires, and says that nothing is known', async ({
  openJoined,
  device,
  clock,
}) => {
  const world = await openJoined({ time: clock });
  await act(world, device);
  const token = tokenOf(await device.next(world.link, 'ACTION'));
  const expired = await until('the end of the exchange', async () => {
    clock.advance(5_000);
    const view = await world.fleet.exchange(device.text, token);
    return view?.isFinal === true && view;
  });
  expect(expired).toMatchObject({
    exchange: { phase: 'expired' },
    explanation: 'No answer in time; whether the device did it is not known.',
  });
  await device.say(world.link, 'RESPONSE', { status: STATUS.ACTION_SUCCESS }, token);
  expect((await world.fleet.exchange(device.text, token))?.explanation).toContain(
    'It answered later. Reason: action done',
  );
});

test('a joined device that greets is asked again at once what it owes an answer to, and nobody else is', async ({
  openJoined,
  device,
  other,
}) => {
  const world = await openJoined();
  await act(world, device, other);
  const first = await device.next(world.link, 'ACTION');
  await other.next(world.link, 'ACTION');
  // Both messages were lost with the broker; only one device comes back.
  await device.say(world.link, 'JOIN_REQ', {});
  const again = await device.next(world.link, 'ACTION');
  expect(tokenKey(again.token)).toBe(tokenKey(first.token));
  expect(again.sequence).toBeGreaterThan(first.sequence);
  await device.say(world.link, 'RESPONSE', { status: STATUS.ACTION_SUCCESS }, tokenKey(again.token));
  const { rows } = await world.fleet.exchanges({ kind: 'action' });
  expect(rows.map(({ device: id, exchange }) => [id, exchange.phase, exchange.attempts]).sort()).toEqual(
    [
      [device.text, 'done', 2],
      [other.text, 'sent', 1],
    ].sort(),
  );
});

test('a greeting whose consequences can not be stored is not taken: brought again, it has them', async ({
  openJoined,
  device,
}) => {
  const world = await openJoined();
  await act(world, device);
  await device.next(world.link, 'ACTION');
  const mend = await jam(world.store, 'update of wake_at on exchanges for each row', 'trouble');
  const greeted = device.say(world.link, 'JOIN_REQ', {});
  await until('a dropped connection', () => world.link.drops.length > 0);
  await mend();
  world.link.connect();
  await greeted;
  await device.next(world.link, 'ACTION');
  expect((await world.fleet.refusals({})).rows).toEqual([]);
});

test.for([
  'insert on messages',
  'insert on data',
  'update on peers',
  'insert on exchanges',
  'insert on events',
])(
  'a database that is in trouble at one of the statements of a turn (%s): nothing is acknowledged',
  async (statement, { openJoined, device }) => {
    const world = await openJoined();
    const mend = await jam(world.store, `${statement} for each row`, 'trouble');
    const reported = report(world, device, 7);
    await until('a dropped connection', () => world.link.drops.length > 0);
    await mend();
    world.link.connect();
    await reported;
    expect(await dataOf(world, device)).toHaveLength(1);
    expect((await world.fleet.refusals({})).rows).toEqual([]);
  },
);

test('a broker that forgot the server: who owes an answer is asked again, though it does not greet', async ({
  openJoined,
  device,
  other,
}) => {
  const world = await openJoined();
  await act(world, device);
  const first = await device.next(world.link, 'ACTION');
  const times = async () => {
    const { rows } = await world.fleet.exchanges({ kind: 'action' });
    return rows.map(({ exchange }) => exchange.attempts);
  };
  world.link.disconnect();
  world.link.connect(true);
  await act(world, other); // the way to devices is open again, and nothing else went to the first one
  await other.next(world.link, 'ACTION');
  expect(await times()).toEqual([1, 1]);
  world.link.disconnect();
  world.link.connect(false);
  const again = await device.next(world.link, 'ACTION');
  expect(tokenKey(again.token)).toBe(tokenKey(first.token));
  await other.next(world.link, 'ACTION');
  expect(await times()).toEqual([2, 2]);
});

test('a device that left for good loses its certificate, after it had its answer, though the key service fails first', async ({
  openJoined,
  device,
  other,
  directory,
  clock,
}) => {
  const world = await openJoined({ time: clock });
  const working = { ...directory };
  let failures = 1;
  directory.revoke = (id) => (failures-- > 0 ? Promise.reject(new Error('away')) : working.revoke(id));
  await device.say(world.link, 'DEREGISTER_REQ', {});
  await device.next(world.link, 'RESPONSE');
  expect(directory.revoked).toEqual([]);
  await until('a revocation', () => {
    clock.advance(5_000);
    return directory.revoked.length > 0;
  });
  expect(directory.revoked).toEqual([device.text]);
  expect(world.link.filters.has(other.topic)).toBe(true);
  await until('no filter for it', () => !world.link.filters.has(device.topic));
});

test('what a revocation ends is counted', async ({ openJoined, device }) => {
  const ended: string[] = [];
  const meter = {
    ...SILENT,
    ended: ({ kind, phase }: { kind: string; phase: string }) => ended.push(`${kind} ${phase}`),
  };
  const world = await openJoined({ meter });
  await act(world, device);
  ended.length = 0;
  await world.fleet.revoke(device.text);
  expect(ended).toEqual(['action expired']);
});

test('a device that left and is revoked again while the key service is away is tried until it is done', async ({
  openJoined,
  device,
  directory,
}) => {
  const world = await openJoined();
  expect(await world.fleet.revoke(device.text)).toEqual({ id: device.text, ended: true });
  const working = { ...directory };
  directory.revoke = () => Promise.reject(new Error('away'));
  expect(await world.fleet.revoke(device.text)).toMatchObject({ ended: false, problem: 'away' });
  const owed = world.store.read.selectFrom('errands').select(['owner', 'kind']);
  expect(await owed.execute()).toEqual([{ owner: `device/${device.text}`, kind: 'end-identity' }]);
  directory.revoke = (id) => working.revoke(id);
  expect(await world.fleet.revoke(device.text)).toMatchObject({ ended: true });
  expect(await owed.execute()).toEqual([]);
});

test('while an identity is being ended, what its device says waits for nothing', async ({
  openJoined,
  device,
  directory,
}) => {
  const world = await openJoined();
  const working = { ...directory };
  let answer: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (answer = resolve));
  let asked = 0;
  directory.revoke = async (id) => {
    asked += 1;
    await held;
    return working.revoke(id);
  };
  const revoked = [world.fleet.revoke(device.text), world.fleet.revoke(device.text)];
  await until('a question to the key service', () => asked > 0);
  await report(world, device, 1); // the link brings nothing more before
  expect(await world.fleet.refusalCounts()).toMatchObject({ AUTH_STATE: 1 });
  answer();
  for (const one of revoked) expect(await one).toEqual({ id: device.text, ended: true });
  expect(asked).toBe(1);
  const row = await world.store.read
    .selectFrom('devices')
    .selectAll()
    .where('id', '=', device.text)
    .execute();
  expect(row).toMatchObject([{ standing: 'deregistered' }]);
  expect(await world.store.read.selectFrom('errands').selectAll().execute()).toEqual([]);
});

test('events come in order and without gaps, and one who fails stops nobody', async ({
  openJoined,
  device,
  other,
}) => {
  const world = await openJoined();
  const seen: { seq: number; kind: string }[] = [];
  world.fleet.watch(() => {
    throw new Error('mine');
  });
  world.fleet.watch(({ seq, kind }) => seen.push({ seq, kind }));
  await Promise.all([report(world, device, 1), report(world, other, 2), act(world, device, other)]);
  await until('four events', () => seen.length >= 4);
  const first = seen[0]!.seq;
  expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, index) => first + index));
  expect(seen.map(({ kind }) => kind).sort()).toEqual(['data', 'data', 'exchange', 'exchange']);
});

test('what one device makes us keep is bounded, but for the proof of its join', async ({
  openJoined,
  device,
}) => {
  const keep = { rows: 40, bytes: 2 ** 20, proofs: 10 };
  const world = await openJoined({ keep });
  const count = async (table: 'messages' | 'data' | 'exchanges') =>
    (await world.store.read.selectFrom(table).select('device').where('device', '=', device.text).execute())
      .length;
  for (let n = 0; n < 100; n++) await report(world, device, n);
  expect(await count('messages')).toBeLessThan(keep.rows + 10);
  expect(await count('data')).toBeLessThan(keep.rows + 5);
  expect(await count('exchanges')).toBeLessThan(keep.rows + 10);
  const large = encodeText('x'.repeat(60_000));
  for (let n = 0; n < 30; n++) await device.say(world.link, 'DATA', { dataId: 't', data: large });
  expect(await count('messages')).toBeLessThan(25);
  expect((await dataOf(world, device))[0]?.hex).toHaveLength(120_000);
  const joins = await world.store.read
    .selectFrom('messages')
    .select('type')
    .where('type', '=', 'JOIN_REQ')
    .execute();
  expect(joins).toHaveLength(2);
  expect((await world.fleet.exchanges({ kind: 'join' })).rows).toHaveLength(2);
});

test('the numbers of a pair that are used up stop the talk, and nothing else', async ({
  openJoined,
  device,
}) => {
  const world = await openJoined();
  const last = await device.write('JOIN_REQ', {}, { sequence: (1n << 64n) - 1n });
  await world.link.deliver(last.topic, last.bytes);
  const [receipt] = await act(world, device);
  expect(receipt).toMatchObject({ ok: false, reason: expect.stringContaining('register it anew') as string });
  expect(world.link.drops).toEqual([]);
  expect(tokenKey(encodeText(last.token))).toBe(last.token);
});

test('a store of another server is refused', async ({ openJoined }) => {
  const world = await openJoined();
  await world.fleet.stop();
  await behind(world.store).updateTable('settings').set({ value: 'abc' }).execute();
  await expect(world.restart()).rejects.toThrow(/belongs to the server abc/);
});

test('a device that defers is asked again at its time, or when an operator says so (P 10.11)', async ({
  openJoined,
  device,
  clock,
}) => {
  const world = await openJoined({ time: clock });
  const token = await stage(world, device, { digest: 'a'.repeat(64) });
  const later = clock.now() + 2 * 3_600_000;
  const data = encodeText(JSON.stringify({ token, reason: 'a patient is on it', until: later }));
  const defer = async () => {
    await device.next(world.link, 'ACTIVATE');
    await device.say(world.link, 'RESPONSE', { status: STATUS.ACTIVATE_DEFERRED }, token);
    await device.say(world.link, 'DATA', { dataId: 'srup.defer', data }, token);
  };
  await defer();
  expect(await world.fleet.exchange(device.text, token)).toMatchObject({
    exchange: {
      phase: 'activating',
      wakeAt: later,
      deferral: { reason: 'a patient is on it', until: later },
    },
    isFinal: false,
    explanation: expect.stringMatching(
      /a patient is on it \(asked again at 2026-11-21 02:00 UTC\)$/,
    ) as string,
  });

  const asked = () => device.heard(world.link).filter(({ type }) => type === 'ACTIVATE').length;
  clock.advance(2 * 3_600_000 - 1_000);
  await world.fleet.activate(device.text, token);
  await until('the second question', () => asked() === 2);
  await defer();
  clock.advance(999);
  await act(world, device);
  await device.next(world.link, 'ACTION');
  expect(asked()).toBe(2);
  await until('the third question', () => {
    clock.advance(60_000);
    return asked() === 3;
  });
  await device.next(world.link, 'ACTIVATE');
  await device.say(world.link, 'RESPONSE', { status: STATUS.ACTIVATE_SUCCESS }, token);
  const done = await world.fleet.exchange(device.text, token);
  expect(done).toMatchObject({ exchange: { phase: 'active' }, isFinal: true });
  expect(done?.explanation).not.toContain('patient');
});
