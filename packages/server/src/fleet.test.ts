import { describe, expect } from 'vitest';
import { until } from '@srup/node/testing';
import { decode, encodeText, STATUS, tokenKey, tokenOfKey, tokenTime } from '@srup/protocol';
import { test } from '../test/fixtures.ts';
import { directoryOf, makeDevice, tokenOf, type TestDevice } from '../test/fleet/device.ts';
import { acceptAll, join, report, stage, update, type World } from '../test/fleet/world.ts';
import { policyCaller, tokenCaller } from './api/callers.ts';

const MIA = tokenCaller({ id: '3f2a91c0', name: 'mia' });
const DIGEST = 'a'.repeat(64);
const UPDATE = { kind: 'update', url: 'https://files.test/a', digest: DIGEST, activateAtOnce: true } as const;

const codes = async ({ fleet }: World) => (await fleet.refusals({})).rows.map(({ code }) => code);
const view = (world: World, { text }: TestDevice) => until(`device ${text}`, () => world.fleet.device(text));

describe('joins', () => {
  test('the policy lets a device in, and the evidence is kept', async ({ world, device }) => {
    await world.fleet.setJoinPolicy('demo', 'accept');
    await join(world, device);
    expect(await view(world, device)).toMatchObject({
      standing: 'joined',
      confirms: true,
      identification: 'srup-agent/0.1.0 test',
    });
    expect(await world.store.read.selectFrom('join_decisions').selectAll().execute()).toMatchObject([
      { device: device.text, verdict: 'accept', decided_by: JSON.stringify(policyCaller('demo')) },
    ]);
    const { rows } = await world.fleet.messages({ device: device.text });
    expect(rows.map(({ direction, type }) => `${direction} ${type}`)).toEqual([
      'in DATA',
      'out ID_REQUEST',
      'out RESPONSE',
      'in JOIN_REQ',
    ]);
  });

  test('the answers of a device can be heard before it is answered', async ({ world, device }) => {
    await acceptAll(world);
    const heardBefore: boolean[] = [];
    world.link.onPublish = (topic) => void heardBefore.push(world.link.filters.has(topic));
    await join(world, device);
    expect(heardBefore).toEqual([true, true]);
  });

  test('an operator decides, by default', async ({ world, device }) => {
    const { token } = await device.say(world.link, 'JOIN_REQ', {});
    expect((await view(world, device)).standing).toBe('pending');
    const pending = await world.fleet.exchanges({ kind: 'join', open: true });
    expect(pending.rows.map(({ exchange }) => exchange.token)).toEqual([token]);
    await world.fleet.decideJoin(device.text, token, 'accept', MIA);
    expect((await device.next(world.link, 'RESPONSE')).body).toEqual({ status: STATUS.JOIN_SUCCESS });
    expect((await view(world, device)).standing).toBe('joined');
    expect(await world.store.read.selectFrom('join_decisions').selectAll().execute()).toMatchObject([
      { verdict: 'accept', decided_by: JSON.stringify(MIA) },
    ]);
    await expect(world.fleet.decideJoin(device.text, token, 'refuse')).rejects.toMatchObject({
      kind: 'conflict',
    });
  });

  test('a device that asks anew waits once, and the older request lets it in no more', async ({
    world,
    device,
  }) => {
    const older = await device.say(world.link, 'JOIN_REQ', {});
    const newer = await device.say(world.link, 'JOIN_REQ', {});
    const pending = await world.fleet.exchanges({ kind: 'join', open: true });
    expect(pending.rows.map(({ exchange }) => exchange.token)).toEqual([newer.token]);
    await expect(world.fleet.decideJoin(device.text, older.token, 'accept')).rejects.toMatchObject({
      kind: 'conflict',
    });
    await device.say(world.link, 'JOIN_REQ', {}, older.token);
    const answer = await device.next(world.link, 'RESPONSE');
    expect([tokenOf(answer), answer.body]).toEqual([older.token, { status: STATUS.JOIN_FAIL }]);
  });

  test('joining again while joined changes nothing and is answered', async ({ world, device }) => {
    await world.fleet.setJoinPolicy('demo', 'accept');
    await join(world, device);
    await world.fleet.setJoinPolicy('demo', 'fail');
    await device.say(world.link, 'JOIN_REQ', {});
    expect((await device.next(world.link, 'RESPONSE')).body).toEqual({ status: STATUS.JOIN_SUCCESS });
    expect((await view(world, device)).standing).toBe('joined');
  });

  test('rules by type outlive a restart, and the one for all others can not be taken away', async ({
    world,
  }) => {
    await world.fleet.setJoinPolicy('demo', 'accept');
    await world.fleet.setJoinPolicy('pump', 'fail');
    await world.fleet.setJoinPolicy('pump', undefined);
    await world.restart();
    expect(await world.fleet.joinPolicy()).toEqual({ '*': 'ask', demo: 'accept' });
    await expect(world.fleet.setJoinPolicy('*', undefined)).rejects.toMatchObject({ kind: 'invalid' });
    await expect(world.fleet.setJoinPolicy('', 'accept')).rejects.toMatchObject({ kind: 'invalid' });
  });

  test('only the certified get in, and nothing is kept of the others', async ({ world, device, server }) => {
    const stranger = await makeDevice(server);
    await stranger.say(world.link, 'JOIN_REQ', {});
    device.enrolment = { ...device.enrolment, state: 'validated' };
    await device.say(world.link, 'JOIN_REQ', {});
    expect(await codes(world)).toEqual(['AUTH_SENDER', 'AUTH_SENDER']);
    expect((await world.fleet.devices({})).rows).toEqual([]);
  });

  test('a revoked identity does not come back', async ({ world, device, directory }) => {
    await world.fleet.setJoinPolicy('*', 'refuse');
    await device.say(world.link, 'JOIN_REQ', {});
    await directory.revoke(device.id);
    await device.say(world.link, 'JOIN_REQ', {});
    expect(await codes(world)).toEqual(['AUTH_STATE']);
  });
});

describe('what is refused', () => {
  const status = { status: STATUS.ACTION_SUCCESS };

  interface Scene {
    readonly world: World;
    /** It has joined. */
    readonly device: TestDevice;
    /** Certified, but not joined. */
    readonly other: TestDevice;
    /** The key service does not know it. */
    readonly stranger: TestDevice;
  }

  test.for<[string, string, (scene: Scene) => Promise<unknown>]>([
    [
      'a retained message',
      'AUTH_RETAINED',
      async ({ world, device }) => {
        const { topic, bytes } = await device.write('RESPONSE', status);
        await world.link.deliver(topic, bytes, { retained: true });
      },
    ],
    [
      'bytes that are no message',
      'WIRE_EDITION',
      ({ world, device }) => world.link.deliver(device.topic, encodeText('hello')),
    ],
    [
      'a topic that is none',
      'AUTH_TOPIC',
      async ({ world, device }) => {
        await world.link.deliver('SRUP/0x/y', (await device.write('RESPONSE', status)).bytes);
      },
    ],
    [
      "a known device on a sibling's topic",
      'AUTH_TOPIC',
      async ({ world, device, other }) => {
        await world.link.deliver(other.topic, (await device.write('RESPONSE', status)).bytes);
      },
    ],
    [
      'a join on the topic of everything else',
      'AUTH_TOPIC',
      async ({ world, device }) => {
        await world.link.deliver(device.topic, (await device.write('JOIN_REQ', {})).bytes);
      },
    ],
    [
      'everything else on the topic of joins',
      'AUTH_TOPIC',
      async ({ world, device }) => {
        const { topic } = await device.write('JOIN_REQ', {});
        await world.link.deliver(topic, (await device.write('RESPONSE', status)).bytes);
      },
    ],
    [
      'an unknown sender',
      'AUTH_SENDER',
      ({ world, stranger }) => stranger.say(world.link, 'RESPONSE', status),
    ],
    [
      'what only servers send',
      'AUTH_DIRECTION',
      ({ world, device }) => device.say(world.link, 'ACTION', { actionId: 4 }),
    ],
    [
      'a broken signature',
      'AUTH_SIGNATURE',
      async ({ world, device }) => {
        const { topic, bytes } = await device.write('RESPONSE', status);
        bytes[bytes.length - 1]! ^= 1;
        await world.link.deliver(topic, bytes);
      },
    ],
    [
      'a device that is not joined',
      'AUTH_STATE',
      async ({ world, other }) => {
        await world.fleet.setJoinPolicy('*', 'refuse');
        await other.say(world.link, 'JOIN_REQ', {});
        await report(world, other, 1);
      },
    ],
    [
      'a jump that would use up the numbers',
      'REPLAY_JUMP',
      async ({ world, device }) => {
        const { topic, bytes } = await device.write('RESPONSE', status, { sequence: 1n << 63n });
        await world.link.deliver(topic, bytes);
      },
    ],
    ['an answer to nothing', 'FLOW_TOKEN', ({ world, device }) => device.say(world.link, 'RESPONSE', status)],
  ])('%s: %s', async ([, code, act], { world, joined, other, server }) => {
    await act({ world, device: joined, other, stranger: await makeDevice(server) });
    expect(await codes(world)).toEqual([code]);
    expect(await world.fleet.refusalCounts()).toEqual({ [code]: 1 });
    expect(world.link.drops).toEqual([]);
  });

  test('a message again: its number was seen', async ({ world, joined: device }) => {
    const first = await report(world, device, 1);
    await world.link.deliver(first.topic, first.bytes);
    expect(await codes(world)).toEqual(['REPLAY_SEEN']);
    expect((await world.fleet.data({ device: device.text })).rows).toHaveLength(1);
  });

  test('the same data with a new number, as after a timeout, is recorded once', async ({
    world,
    joined: device,
  }) => {
    const { token } = await report(world, device, 1);
    await device.say(world.link, 'DATA', { dataId: 't', data: encodeText('1') }, token);
    expect(await codes(world)).toEqual([]);
    expect((await world.fleet.data({ device: device.text })).rows).toHaveLength(1);
  });

  test('an unsigned message with a huge number poisons nothing', async ({ world, joined: device }) => {
    const genuine = await device.write('DATA', { dataId: 't', data: encodeText('1') });
    const { topic, bytes } = await device.write('RESPONSE', status, { sequence: 1n << 63n });
    bytes[30]! ^= 1;
    await world.link.deliver(topic, bytes);
    await world.link.deliver(genuine.topic, genuine.bytes);
    expect((await world.fleet.data({ device: device.text })).rows).toHaveLength(1);
  });

  test('the answer of another device, or an older one, does not count (row 16)', async ({
    world,
    joined: device,
    other,
  }) => {
    await join(world, other);
    const [receipt] = await world.fleet.command([device.text], UPDATE);
    const token = receipt!.ok ? receipt!.token : '';
    await device.next(world.link, 'INITIATE');
    await other.say(world.link, 'RESPONSE', { status: STATUS.UPDATE_SUCCESS }, token);
    expect(await codes(world)).toEqual(['FLOW_TOKEN']);
    expect(await world.fleet.exchange(device.text, token)).toMatchObject({
      exchange: { phase: 'initiated' },
    });
    const staged = await device.say(world.link, 'RESPONSE', { status: STATUS.UPDATE_SUCCESS }, token);
    await device.next(world.link, 'ACTIVATE');
    await world.link.deliver(staged.topic, staged.bytes);
    await device.say(world.link, 'RESPONSE', { status: STATUS.ACTION_SUCCESS }, token);
    expect(await codes(world)).toEqual(['FLOW_STATUS', 'REPLAY_SEEN', 'FLOW_TOKEN']);
    expect(await world.fleet.exchange(device.text, token)).toMatchObject({
      exchange: { phase: 'activating' },
    });
    expect(await view(world, device)).not.toHaveProperty('running');
  });

  test('an answer repeated from memory does not undo what was proven since', async ({
    world,
    joined: device,
  }) => {
    const first = await stage(world, device, { digest: '1'.repeat(64) });
    await device.next(world.link, 'ACTIVATE');
    await until('a later time', () => Date.now() > tokenTime(tokenOfKey(first))! + 5);
    const second = await update(world, device, { digest: '2'.repeat(64) });
    await device.say(world.link, 'RESPONSE', { status: STATUS.ACTIVATE_SUCCESS }, first);
    expect(await world.fleet.exchange(device.text, first)).toMatchObject({ exchange: { phase: 'active' } });
    expect(await view(world, device)).toMatchObject({ running: { digest: '2'.repeat(64), token: second } });
  });

  test('our own messages come back and are ignored', async ({ world, joined: device }) => {
    await world.fleet.command([device.text], { kind: 'action', actionId: 4 });
    await device.next(world.link, 'ACTION');
    await report(world, device, 1);
    expect(await codes(world)).toEqual([]);
  });
});

describe('the main job', () => {
  test('the order is in every event about its exchanges, and in the answer to a word about one', async ({
    world,
    joined: device,
  }) => {
    const seen: (string | undefined)[] = [];
    world.fleet.watch((event) => {
      if (event.kind === 'exchange' && event.change.exchange.kind === 'update') seen.push(event.change.order);
    });
    const [receipt] = await world.fleet.command([device.text], { ...UPDATE, activateAtOnce: false });
    if (receipt?.ok !== true) throw new Error('not taken');
    const { token, order } = receipt;
    await device.next(world.link, 'INITIATE');
    await device.say(world.link, 'RESPONSE', { status: STATUS.UPDATE_SUCCESS }, token);
    expect(await world.fleet.activate(device.text, token)).toMatchObject({ order });
    await until('the events', () => seen.length === 3);
    expect(seen).toEqual([order, order, order]);
  });

  test('exchanges carry the id of the order that began them, and are found by it', async ({
    world,
    joined: device,
  }) => {
    const [first] = await world.fleet.command([device.text], { kind: 'action', actionId: 4 });
    const [second] = await world.fleet.command([device.text], { kind: 'action', actionId: 5 });
    if (first?.ok !== true || second?.ok !== true) throw new Error('not taken');
    expect(first.order).not.toBe(second.order);
    const ofFirst = await world.fleet.exchanges({ order: first.order });
    expect(ofFirst.rows.map(({ exchange }) => exchange.token)).toEqual([first.token]);
    expect(ofFirst.rows[0]).toMatchObject({ order: first.order });
    const [own] = (await world.fleet.exchanges({ kind: 'join' })).rows;
    expect(own).not.toHaveProperty('order'); // the device asked
    const orders = await world.store.read
      .selectFrom('audit')
      .select('body')
      .where('kind', '=', 'order')
      .execute();
    expect(orders.map(({ body }) => (JSON.parse(body) as { orderId: string }).orderId)).toEqual([
      first.order,
      second.order,
    ]);
  });

  test('an update from INITIATE to the receipt', async ({ world, joined: device }) => {
    const [receipt] = await world.fleet.command([device.text], UPDATE);
    const initiate = await device.next(world.link, 'INITIATE');
    expect(initiate.body).toEqual({ url: UPDATE.url, digest: DIGEST });
    const order = expect.stringMatching(/^[0-9a-f]{16}$/) as string;
    expect(receipt).toEqual({ device: device.text, ok: true, token: tokenOf(initiate), order });
    const token = tokenOf(initiate);
    await device.say(world.link, 'RESPONSE', { status: STATUS.UPDATE_SUCCESS }, token);
    await device.next(world.link, 'ACTIVATE');
    expect(await view(world, device)).toMatchObject({ staged: { digest: DIGEST, token } });
    await device.say(world.link, 'RESPONSE', { status: STATUS.ACTIVATE_SUCCESS }, token);
    const after = await view(world, device);
    expect(after).toMatchObject({ running: { digest: DIGEST, token } });
    expect(after).not.toHaveProperty('staged');
    expect(await world.fleet.exchange(device.text, token)).toMatchObject({
      isFinal: true,
      exchange: { phase: 'active' },
    });
    // What it said of itself when it joined is no longer so: it is asked again.
    await device.next(world.link, 'ID_REQUEST');
    const owed = world.store.read.selectFrom('outbox').selectAll();
    await until('an empty outbox', async () => (await owed.execute()).length === 0);
  });

  test('a failure comes with its reason', async ({ world, joined: device }) => {
    await world.fleet.command([device.text], UPDATE);
    const token = tokenOf(await device.next(world.link, 'INITIATE'));
    await device.say(world.link, 'RESPONSE', { status: STATUS.UPDATE_FAIL_DIGEST }, token);
    expect((await world.fleet.exchange(device.text, token))?.explanation).toBe(
      'The device could not stage the software. Reason: the digest of the file is another one (FF).',
    );
  });

  test("each device gets its own token; who can't be commanded is named with the reason", async ({
    world,
    joined: device,
    other,
  }) => {
    await join(world, other);
    const receipts = await world.fleet.command([device.text, other.text, 'abc', device.text], {
      kind: 'action',
      actionId: 4,
    });
    expect(receipts).toMatchObject([
      { device: device.text, ok: true },
      { device: other.text, ok: true },
      { device: 'abc', ok: false, reason: 'no device with this id is known' },
      { device: device.text, ok: false, reason: 'named twice in this command' },
    ]);
    const [first, second] = await Promise.all([
      device.next(world.link, 'ACTION'),
      other.next(world.link, 'ACTION'),
    ]);
    expect(tokenKey(first.token)).not.toBe(tokenKey(second.token));
  });

  test.for([
    [{ ...UPDATE, digest: 'A'.repeat(64) }, /64 lower-case hex/],
    [{ ...UPDATE, url: 'ftp://x' }, /is not an https URL/],
    [{ ...UPDATE, url: 'http://x' }, /is not an https URL/],
    [{ kind: 'action', actionId: 256 }, /0 to 255/],
    [{ kind: 'data', dataId: 'srup.x', data: encodeText('') }, /the protocol's own/],
    [{ kind: 'data', dataId: '', data: encodeText('') }, /a text without NUL/],
  ] as const)('a command that makes no sense: %o', async ([command, words], { world, joined: device }) => {
    await expect(world.fleet.command([device.text], command)).rejects.toThrow(words);
  });

  test('data that fits no message is refused for the device, and nothing is sent', async ({
    world,
    joined: device,
  }) => {
    const [receipt] = await world.fleet.command([device.text], {
      kind: 'data',
      dataId: 'big',
      data: new Uint8Array(65_500),
    });
    expect(receipt).toEqual({ device: device.text, ok: false, reason: 'the message would be too long' });
    expect((await world.fleet.exchanges({ device: device.text, kind: 'data' })).rows).toEqual([]);
  });

  test('values of data are read by the rules', async ({ world, joined: device }) => {
    const double = new Uint8Array(new Float64Array([-1.5]).buffer);
    for (const [dataId, data] of [
      ['text', encodeText('warm äß')],
      ['int', Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
      ['double', double],
      ['raw', Uint8Array.of(1, 2, 3)],
    ] as const) {
      await device.say(world.link, 'DATA', { dataId, data });
    }
    const { rows } = await world.fleet.data({ device: device.text });
    expect(rows.map(({ dataId, kind, value }) => [dataId, kind, value])).toEqual([
      ['raw', 'raw', '010203'],
      ['double', 'double', -1.5],
      ['int', 'int32', -1],
      ['text', 'text', 'warm äß'],
    ]);
  });

  test('a device that leaves is answered, asked nothing more, and its certificate ends', async ({
    world,
    joined: device,
  }) => {
    await world.fleet.command([device.text], UPDATE);
    const update = tokenOf(await device.next(world.link, 'INITIATE'));
    await device.say(world.link, 'DEREGISTER_REQ', {});
    expect((await device.next(world.link, 'RESPONSE')).body).toEqual({ status: STATUS.DEREGISTER_SUCCESS });
    expect((await view(world, device)).standing).toBe('deregistered');
    expect(await world.fleet.exchange(device.text, update)).toMatchObject({ isFinal: true });
    await device.say(world.link, 'JOIN_REQ', {});
    expect(await codes(world)).toEqual(['AUTH_STATE']);
  });

  test('the server dismisses a device', async ({ world, joined: device }) => {
    await world.fleet.command([device.text], { kind: 'terminate' });
    const dismissal = await device.next(world.link, 'TERMINATE_CMD');
    await device.say(world.link, 'JOIN_REQ', {});
    expect(await codes(world)).toEqual(['FLOW_STATE']); // not before it has answered
    await device.say(world.link, 'RESPONSE', { status: STATUS.RESIGN_SUCCESS }, tokenOf(dismissal));
    expect(await world.fleet.exchange(device.text, tokenOf(dismissal))).toMatchObject({
      exchange: { phase: 'left' },
    });
    await report(world, device, 1);
    expect((await codes(world))[0]).toBe('AUTH_STATE');
    const [receipt] = await world.fleet.command([device.text], { kind: 'identify' });
    expect(receipt).toMatchObject({ ok: false, reason: 'the device is not joined (it is terminated)' });
    await device.say(world.link, 'JOIN_REQ', {});
    expect((await view(world, device)).standing).toBe('joined');
  });

  test('a device gets a name', async ({ world, joined: device }) => {
    await world.fleet.rename(device.text, '  Pump 7 ');
    expect((await world.fleet.devices({ search: 'pump' })).rows).toMatchObject([{ name: 'Pump 7' }]);
    for (const bad of ['\n', 'C0FFEE0123456789'])
      await expect(world.fleet.rename(device.text, bad)).rejects.toMatchObject({ kind: 'invalid' });
    await expect(world.fleet.rename('abc', 'x')).rejects.toMatchObject({ kind: 'not-found' });
  });
});

test("numbers begin far apart, so that a command on a sibling's topic is refused there", async ({
  world,
  joined: device,
  alsoJoined: other,
}) => {
  const firstTo = ({ topic }: TestDevice) => {
    const { bytes } = world.link.published.find((one) => one.topic === topic)!;
    const decoded = decode(bytes);
    if (!decoded.ok) throw new Error(decoded.code);
    return decoded.value.message.sequence;
  };
  const apart = firstTo(device) - firstTo(other);
  // By chance nearer once in 2^29 runs.
  expect(apart < 0n ? -apart : apart).toBeGreaterThan(1n << 32n);
  await world.fleet.command([device.text], { kind: 'action', actionId: 4 });
  const action = await until('the command', () =>
    world.link.published.find(({ topic, bytes }) => {
      const decoded = decode(bytes);
      return topic === device.topic && decoded.ok && decoded.value.message.type === 'ACTION';
    }),
  );
  // The broker swaps the topics: the signature holds for every device of this server, the number does not.
  expect(other.hear(action.bytes)).toBe(apart < 0n ? 'REPLAY_OLD' : 'REPLAY_JUMP');
  // Control: its own device takes it.
  expect(device.hear(action.bytes)).toMatchObject({ type: 'ACTION', body: { actionId: 4 } });
});

test.for([
  ['before it says what it is', undefined, ['url', 'digest']],
  ['when it calls itself something of its own', 'boiler 7', ['url', 'digest']],
  ['when it is one of ours', 'srup-agent/0.1.0 (test)', undefined],
] as const)(
  'a device with an RSA key is sent the NUL of pySRUP or not: %s',
  async ([, name, terminated], { server, openWorld }) => {
    const device = await makeDevice(server, 'rsa-sha256');
    const here = await openWorld({ directory: directoryOf(device) });
    await acceptAll(here);
    await device.say(here.link, 'JOIN_REQ', {});
    await device.next(here.link, 'ID_REQUEST');
    if (name !== undefined) {
      await device.say(here.link, 'DATA', { dataId: 'IDENTIFICATION_RESPONSE', data: encodeText(name) });
    }
    await here.fleet.command([device.text], UPDATE);
    expect((await device.next(here.link, 'INITIATE')).terminated).toEqual(terminated);
  },
);

test('pySRUP: texts end with its NUL, and nothing is called confirmed', async ({ server, openWorld }) => {
  const reference = await makeDevice(server, 'rsa-sha256');
  const here = await openWorld({ directory: directoryOf(reference) });
  await acceptAll(here);
  await reference.say(here.link, 'JOIN_REQ', {});
  await reference.next(here.link, 'ID_REQUEST');
  // It names itself under a token of its own: the question is answered all the same.
  const data = encodeText('pySRUP version 6');
  await reference.say(here.link, 'DATA', { dataId: 'IDENTIFICATION_RESPONSE', data });
  const questions = await here.fleet.exchanges({ kind: 'identify' });
  expect(questions.rows.map(({ exchange }) => exchange.phase)).toEqual(['answered', 'answered']);
  await here.fleet.command([reference.text], UPDATE);
  const initiate = await reference.next(here.link, 'INITIATE');
  expect(initiate.terminated).toEqual(['url', 'digest']);
  await here.fleet.command([reference.text], { kind: 'action', actionId: 4 });
  const action = await reference.next(here.link, 'ACTION');
  expect(await here.fleet.exchange(reference.text, tokenOf(action))).toMatchObject({
    exchange: { phase: 'unconfirmed' },
  });
});

describe('pages', () => {
  test('rows come in order, each on one page', async ({ world, joined: device, alsoJoined: other }) => {
    const ids: string[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      const page = await world.fleet.devices({ limit: 1, ...(cursor !== '' && { cursor }) });
      ids.push(...page.rows.map(({ id }) => id));
      cursor = page.next;
    }
    expect(ids).toEqual([device.text, other.text].sort());
    const all = await world.fleet.messages({ limit: 500 });
    const first = await world.fleet.messages({ limit: 3 });
    const rest = await world.fleet.messages({ limit: 500, cursor: first.next! });
    expect([...first.rows, ...rest.rows]).toEqual(all.rows);
    expect(all.rows).toHaveLength(8);
    expect(rest).not.toHaveProperty('next');
  });

  test('they can be narrowed down', async ({ world, joined: device, alsoJoined: _other }) => {
    const { rows } = await world.fleet.exchanges({ device: device.text, kind: 'join', open: false });
    expect(rows).toHaveLength(1);
    const { token } = rows[0]!.exchange;
    const messages = await world.fleet.messages({ token });
    expect(messages.rows.map(({ type }) => type)).toEqual(['RESPONSE', 'JOIN_REQ']);
    expect((await world.fleet.devices({ search: device.text.slice(0, 8) })).rows).toHaveLength(1);
    expect((await world.fleet.devices({ search: '%' })).rows).toEqual([]);
    expect((await world.fleet.devices({ standing: 'pending' })).rows).toEqual([]);
    expect((await world.fleet.devices({ type: 'demo', standing: 'joined' })).rows).toHaveLength(2);
  });

  test.for([
    [{ limit: 0 }, /1 to 500 rows/],
    [{ limit: 501 }, /1 to 500 rows/],
    [{ cursor: 'x' }, /not one that a page gave/],
  ] as const)('%o makes no sense', async ([query, words], { world }) => {
    await expect(world.fleet.messages(query)).rejects.toThrow(words);
  });
});

test('of a flood of refusals all are counted, and few are told', async ({ world, joined: device }) => {
  let told = 0;
  world.fleet.watch(({ kind }) => {
    if (kind === 'refusal') told += 1;
  });
  await Promise.all(
    Array.from({ length: 300 }, (_, n) => world.link.deliver(device.topic, Uint8Array.of(5, 0x55, n & 0xff))),
  );
  expect(await world.fleet.refusalCounts()).toEqual({ WIRE_TYPE: 300 });
  await report(world, device, 1);
  await until('a refusal that is told', () => told > 0);
  expect(told).toBeLessThan(200);
});
