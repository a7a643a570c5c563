import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { test } from '../test/fixtures.ts';
import { generateKeys, systemClock } from '@srup/node';
import { createToken, tokenKey, type Clock } from '@srup/protocol';
import { until } from '@srup/node/testing';
import { QUICK } from '../test/world.ts';
import { startAgent } from './agent.ts';
import { askAgent } from './control/control.ts';
import { homeAt } from './ground/home.ts';
import { realDisk, type Disk } from './vault/disk.ts';
import { keyPath } from './vault/identity.ts';

const DIGEST = 'ab'.repeat(32);
const URL = 'https://files.example/fw.bin';

test('a device enrols, joins, does an action once, and says who it is', async ({ world }) => {
  const { agent, noted } = await world.join();
  const { c2 } = world;
  const token = await c2.say('ACTION', { actionId: 6 });
  expect(await world.statusOf(token)).toBe(0x20);
  expect(noted.asked).toEqual([{ do: 'act', token, actionId: 6 }]);
  const asked = await c2.say('ID_REQUEST', {});
  const answer = await c2.hear('DATA', asked);
  expect(answer.message.body.dataId).toBe('IDENTIFICATION_RESPONSE');
  expect(Buffer.from(answer.message.body.data).toString()).toMatch(/^srup-agent\/\d+\.\d+\.\d+ /);
  expect(agent.status()).toMatchObject({ phase: 'joined', connected: true, refusals: {}, waiting: 0 });
});

test('safeties that are turned off are warned of, once each; what is safe is not', async ({ world }) => {
  const warnings = () => world.log.lines.filter(({ level }) => level === 'warn').map(({ text }) => text);
  const safe = await world.start();
  await safe.agent.stop();
  expect(warnings()).toEqual([]);
  await world.start({}, { fetch: { allowHttp: true }, actions: { allow: ['09'] } });
  expect(warnings()).toEqual([
    expect.stringContaining('fetch.allowHttp'),
    expect.stringContaining('actions.allow'),
  ]);
});

test('the same bytes again are refused; the same token in a new message gets the same answer and no second effect', async ({
  world,
}) => {
  const { agent, noted } = await world.join();
  const { bytes, token } = await world.c2.make('ACTION', { actionId: 6 });
  await world.c2.send(bytes);
  expect(await world.statusOf(token)).toBe(0x20);
  await world.c2.send(bytes);
  await world.c2.say('ACTION', { actionId: 6 }, { token });
  expect(await world.statusOf(token, 2)).toBe(0x20);
  expect(noted.asked).toHaveLength(1);
  expect(agent.status().refusals).toEqual({ REPLAY_SEEN: 1 });
});

test('what was accepted before a restart is refused after it (P 5.3)', async ({ world }) => {
  const first = await world.join();
  const { bytes, token } = await world.c2.make('ACTION', { actionId: 6 });
  await world.c2.send(bytes);
  await world.statusOf(token);
  // The broker has acknowledged the answer before the next one: it is owed no more, and not sent again.
  await world.roundTrip();
  await first.agent.stop();
  const second = await world.start();
  await second.agent.joined;
  await world.c2.send(bytes);
  await world.roundTrip();
  expect(second.noted.asked).toEqual([]);
  expect(second.agent.status().refusals).toEqual({ REPLAY_SEEN: 1 });
  expect(world.c2.count('RESPONSE', token)).toBe(1);
  expect(world.c2.count('JOIN_REQ')).toBe(1);
});

test('forgeries change nothing, and no number is burnt by them (threat 19)', async ({ world }) => {
  const { agent, noted } = await world.join();
  const { c2, broker } = world;
  const others = await generateKeys('ed25519');
  const { bytes } = await c2.make('ACTION', { actionId: 6 });
  const changed = Uint8Array.from(bytes);
  changed[changed.length - 1] = 9;
  await c2.send(changed);
  await c2.say('ACTION', { actionId: 6 }, { keys: others, sequence: 2n ** 63n });
  await c2.say('ACTION', { actionId: 6 }, { keys: others, sender: 0xabcn });
  await c2.send(Buffer.from('hello'));
  await world.roundTrip();
  expect(agent.status().refusals).toEqual({ AUTH_SIGNATURE: 2, AUTH_SENDER: 1, WIRE_EDITION: 1 });
  // A broker that changes what the signature does not cover.
  const genuine = await c2.make('ACTION', { actionId: 6 });
  broker.aedes.authorizeForward = (_client, packet) => ({ ...packet, retain: true });
  await c2.send(genuine.bytes);
  await until('refused as retained', () => agent.status().refusals.AUTH_RETAINED === 1);
  broker.aedes.authorizeForward = (_client, packet) => ({ ...packet, topic: 'SRUP/abc' });
  await c2.send(genuine.bytes);
  await until('refused for its topic', () => agent.status().refusals.AUTH_TOPIC === 1);
  broker.aedes.authorizeForward = (_client, packet) => packet;
  expect(noted.asked).toEqual([]);
  await c2.send(genuine.bytes);
  expect(await world.statusOf(genuine.token)).toBe(0x20);
  const lines = world.log.lines.filter(({ text }) => text.startsWith('message refused'));
  expect(lines[0]?.fields).toEqual({
    ...{ code: 'AUTH_SIGNATURE', type: 'ACTION', sender: 'b9d077e223834cf6' },
    token: expect.stringMatching(/^.{13}$/) as string,
  });
});

test('only its own server takes a device over, and only with the right id (P 9.7)', async ({ world }) => {
  const { agent } = await world.join();
  await world.c2.say('JOIN_CMD', { deviceId: 42n });
  await world.c2.say(
    'JOIN_CMD',
    { deviceId: BigInt(`0x${agent.status().id}`) },
    { sender: 0xabcn, keys: await generateKeys('ed25519') },
  );
  await world.roundTrip();
  expect(agent.status().refusals).toEqual({ FLOW_TARGET: 1, AUTH_SENDER: 1 });
  expect(world.c2.count('JOIN_REQ')).toBe(1);
});

test('a device that is not joined is not commanded', async ({ world }) => {
  const { agent, noted } = await world.start();
  await world.meet();
  await world.c2.hear('JOIN_REQ');
  await world.c2.say('ACTION', { actionId: 6 });
  await until('refused', () => agent.status().refusals.AUTH_STATE === 1);
  await world.c2.accept();
  await agent.joined;
  expect(noted.asked).toEqual([]);
});

test('an update: fetched, answered, activated, answered', async ({ world }) => {
  const { noted } = await world.join();
  const token = await world.c2.say('INITIATE', { url: URL, digest: DIGEST });
  expect(await world.statusOf(token)).toBe(0x00);
  await world.c2.say('ACTIVATE', {}, { token });
  expect(await world.statusOf(token, 2)).toBe(0x10);
  expect(noted.asked).toEqual([
    { do: 'fetch', token, url: URL, digest: DIGEST },
    { do: 'install', token, digest: DIGEST },
  ]);
});

test('a performer that throws counts as failed, and the next effect is performed', async ({ world }) => {
  const { noted } = await world.join();
  noted.fetch = () => Promise.reject(new Error('a bug'));
  noted.act = () => Promise.reject(new Error('another'));
  expect(await world.statusOf(await world.c2.say('INITIATE', { url: URL, digest: DIGEST }))).toBe(0xfe);
  expect(await world.statusOf(await world.c2.say('ACTION', { actionId: 1 }))).toBe(0x2f);
  noted.act = () => Promise.resolve({ outcome: 'done' });
  expect(await world.statusOf(await world.c2.say('ACTION', { actionId: 1 }))).toBe(0x20);
});

test('a download does not hold up an action; a stop interrupts it, and the next start takes it up', async ({
  world,
}) => {
  const first = await world.join();
  let aborted = false;
  first.noted.fetch = (_effect, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        aborted = true;
        reject(new Error('aborted'));
      });
    });
  const token = await world.c2.say('INITIATE', { url: URL, digest: DIGEST });
  expect(await world.statusOf(await world.c2.say('ACTION', { actionId: 6 }))).toBe(0x20);
  expect(first.agent.status().open).toEqual([{ kind: 'update', phase: 'fetching', detail: DIGEST }]);
  await first.agent.stop();
  expect(aborted).toBe(true);
  expect(world.c2.count('RESPONSE', token)).toBe(0);
  const second = await world.start();
  expect(await world.statusOf(token)).toBe(0x00);
  expect(second.noted.asked).toEqual([{ do: 'fetch', token, url: URL, digest: DIGEST }]);
});

test('the answer leaves before the device loses its ability to answer', async ({ world }) => {
  const { agent, noted } = await world.join();
  const order: string[] = [];
  noted.act = () =>
    Promise.resolve({
      outcome: 'done',
      afterwards: () => {
        order.push(`waiting: ${agent.status().waiting}`);
        return Promise.resolve();
      },
    });
  await world.c2.say('ACTION', { actionId: 9 });
  await until('it is done', () => order.length > 0);
  expect(order).toEqual(['waiting: 0']);
});

test('reports made while the broker is away arrive in order, once, across a restart', async ({ world }) => {
  const first = await world.join();
  await world.broker.kill();
  for (let n = 0; n < 5; n++)
    expect(await first.noted.surroundings!.report('count', Uint8Array.of(n))).toBe('kept');
  expect(first.agent.status().waiting).toBe(5);
  await first.agent.stop();
  const second = await world.start();
  expect(await second.noted.surroundings!.report('count', Uint8Array.of(5))).toBe('kept');
  await world.broker.revive();
  // The transport may bring a message twice (QoS 1): the same bytes, whose number tells the receiver.
  const heard = () => [...new Map(world.c2.heard.map((one) => [one.message.sequence, one])).values()];
  const reports = () => heard().flatMap(({ message }) => (message.type === 'DATA' ? [message.body] : []));
  await until('all have arrived', () => reports().length === 6);
  expect(reports().map(({ data }) => data[0])).toEqual([0, 1, 2, 3, 4, 5]);
  const numbers = heard().map(({ message }) => message.sequence);
  expect(numbers).toEqual([...numbers].sort((a, b) => Number(a - b)));
  const copies = new Set(world.c2.heard.map(({ bytes }) => Buffer.from(bytes).toString('hex')));
  expect(copies.size).toBe(numbers.length);
});

test('a report has bounds: reserved ids, size, and how much may wait', async ({ world }) => {
  const { noted } = await world.join();
  const { report } = noted.surroundings!;
  expect(await report('srup.defer', Uint8Array.of(1))).toBe('refused');
  expect(await report('big', new Uint8Array(65_000))).toBe('refused');
  await world.broker.kill();
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, () => report('blob', new Uint8Array(60_000))),
  );
  expect(outcomes.filter((outcome) => outcome === 'kept')).toHaveLength(17);
  expect(outcomes.at(-1)).toBe('full');
  await world.broker.revive();
  await world.c2.hear('DATA', undefined, 17);
  expect(await report('blob', Uint8Array.of(1))).toBe('kept');
});

test('a message that the broker never takes does not stop those behind it', async ({ world }) => {
  const { noted, agent } = await world.join();
  world.broker.aedes.authorizePublish = (_client, packet, callback) => {
    callback(packet.payload.includes('poison') ? new Error('no') : null);
  };
  await noted.surroundings!.report('a', Buffer.from('poison'));
  await noted.surroundings!.report('b', Buffer.from('good'));
  const { message } = await world.c2.hear('DATA');
  expect(message.body.dataId).toBe('b');
  expect(agent.status().waiting).toBe(1);
});

test('a full disk: not acknowledged, no effect; when there is room it is done once', async ({ world }) => {
  let full = false;
  const refuse = () => {
    if (full) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  };
  const disk: Disk = {
    read: realDisk.read,
    replace: (path, data) => {
      refuse();
      return realDisk.replace(path, data);
    },
    extend: async (path) => {
      const { append, close } = await realDisk.extend(path);
      return {
        append: async (data) => {
          refuse();
          await append(data);
        },
        close,
      };
    },
  };
  const codes: string[] = [];
  const { noted } = await world.join({
    disk,
    onEvent: (event) => event.what === 'refused' && codes.push(event.code),
  });
  await world.roundTrip();
  full = true;
  const token = await world.c2.say('ACTION', { actionId: 6 });
  await until('refused and delivered again', () => codes.length >= 2);
  expect(codes[0]).toBe('EFFECT_STORE');
  expect(await noted.surroundings!.report('a', Uint8Array.of(1))).toBe('full');
  expect(noted.asked).toEqual([]);
  full = false;
  expect(await world.statusOf(token)).toBe(0x20);
  await world.roundTrip();
  expect(noted.asked).toHaveLength(1);
  expect(world.c2.count('RESPONSE', token)).toBe(1);
});

test('terminated: it says nothing more until it is ordered to join again', async ({ world }) => {
  const { agent, noted } = await world.join();
  const token = await world.c2.say('TERMINATE_CMD', {});
  expect(await world.statusOf(token)).toBe(0x70);
  expect(agent.status()).toMatchObject({ phase: 'left', connected: true });
  expect(await noted.surroundings!.report('a', Uint8Array.of(1))).toBe('unjoined');
  await agent.stop();
  const { agent: again } = await world.start();
  await until('connected', () => again.status().connected);
  expect(world.c2.count('JOIN_REQ')).toBe(1);
  await world.c2.say('JOIN_CMD', { deviceId: BigInt(`0x${again.status().id}`) });
  await world.c2.hear('JOIN_REQ', undefined, 2);
  await world.c2.accept();
  await again.joined;
});

test('terminated: what was not begun is not, and a download ends; what runs is answered as it ends (P 10.8)', async ({
  world,
}) => {
  const { agent, noted } = await world.join();
  const { c2 } = world;
  let finish = (): void => undefined;
  noted.act = () =>
    new Promise((resolve) => {
      finish = () => {
        resolve({ outcome: 'done' });
      };
    });
  let isDownloadOver = false;
  noted.fetch = (_, signal) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        isDownloadOver = true;
        reject(signal.reason as Error);
      });
    });
  const first = await c2.say('ACTION', { actionId: 6 });
  const second = await c2.say('ACTION', { actionId: 7 });
  const update = await c2.say('INITIATE', { url: URL, digest: DIGEST });
  await until('both run', () => noted.asked.length === 2);
  const dismissal = await c2.say('TERMINATE_CMD', {});
  expect(await world.statusOf(dismissal)).toBe(0x70);
  await until('the download ends', () => isDownloadOver);
  // Let in again at once: that does not renew earlier orders.
  await c2.say('JOIN_CMD', { deviceId: BigInt(`0x${agent.status().id}`) });
  await c2.hear('JOIN_REQ', undefined, 2);
  await c2.accept();
  await until('joined again', () => agent.status().phase === 'joined');
  finish();
  expect(await world.statusOf(first)).toBe(0x20);
  expect(await world.statusOf(second)).toBe(0x2f);
  expect(noted.asked.map(({ token }) => token).sort()).toEqual([first, update].sort());
  expect(agent.status().open).toEqual([]);
});

test('deregistered by the server: answered, identity erased, unregistered until ordered to join, then another device', async ({
  world,
}) => {
  const { agent } = await world.join();
  const { id } = agent.status();
  const token = await world.c2.say('DEREGISTER_CMD', {});
  expect(await world.statusOf(token)).toBe(0x80);
  await until('unregistered', () => agent.status().phase === 'unregistered');
  const names = await readdir(world.home);
  expect(names).not.toContain('identity.json');
  expect(names).not.toContain('keys');
  expect(names).not.toContain('state');
  await agent.stop();
  const { agent: again, noted } = await world.start();
  await until('still unregistered', () => again.status().phase === 'unregistered');
  expect(noted.running).toBe(true);
  await again.join();
  await until('another id', () => (again.status().id ?? id) !== id);
  await world.meet();
  await world.c2.accept();
  await again.joined;
});

test('deregistered by its own will; with rejoin it enrols anew by itself', async ({ world }) => {
  const { agent } = await world.join({}, { rejoin: 'yes' });
  const { id } = agent.status();
  await agent.leave('deregister');
  const asked = await world.c2.hear('DEREGISTER_REQ');
  await world.c2.say('RESPONSE', { status: 0x80 }, { token: asked.token });
  await until('another id', () => (agent.status().id ?? id) !== id);
});

test('self-destruct: the identity is gone for good, even with rejoin, and nothing runs until it is ordered to join', async ({
  world,
}) => {
  const { agent, noted } = await world.join({}, { rejoin: 'yes' });
  noted.act = async () => {
    const { oweErasure, beginErasure } = noted.surroundings!;
    await oweErasure();
    const afterwards = () => {
      beginErasure();
      return Promise.resolve();
    };
    return { outcome: 'done', afterwards };
  };
  expect(await world.statusOf(await world.c2.say('ACTION', { actionId: 9 }))).toBe(0x20);
  await until('unregistered', () => agent.status().phase === 'unregistered');
  await expect(access(homeAt(world.home).identity)).rejects.toThrow('ENOENT');
  await agent.stop();
  const { agent: again, noted: anew } = await world.start({}, { rejoin: 'yes' });
  await until('still unregistered', () => again.status().phase === 'unregistered');
  expect(anew.running).toBe(false);
  await again.join();
  await until('it runs', () => anew.running);
});

test('an erasure that is owed is not undone by a deregistration that comes before it', async ({ world }) => {
  const { agent, noted } = await world.join({}, { rejoin: 'yes' });
  await noted.surroundings!.oweErasure();
  await world.c2.say('DEREGISTER_CMD', {});
  await until('unregistered', () => agent.status().phase === 'unregistered');
  expect(noted.running).toBe(false);
});

test('an unset clock never blocks a command; a set one refuses an old one (P 6.2)', async ({ world }) => {
  const hourAgo = tokenKey(createToken(Date.now() - 3_600_000, new Uint8Array(10)));
  const lost: Clock = {
    ...systemClock,
    now: () => Date.now() - Date.UTC(2026, 0, 1),
    isTrusted: () => false,
  };
  const { agent } = await world.join({ clock: lost });
  expect(await world.statusOf(await world.c2.say('ACTION', { actionId: 6 }, { token: hourAgo }))).toBe(0x20);
  await agent.stop();
  const { agent: again } = await world.start();
  const older = tokenKey(createToken(Date.now() - 3_600_001, new Uint8Array(10)));
  await until('joined', () => again.status().phase === 'joined');
  expect(await world.statusOf(await world.c2.say('ACTION', { actionId: 6 }, { token: older }))).toBe(0x2f);
  expect(again.status().refusals).toEqual({ FLOW_TOKEN_AGE: 1 });
});

test('an action that waited behind others until it was too old is not begun (P 6.2)', async ({ world }) => {
  let ahead = 0;
  const clock: Clock = { ...systemClock, now: () => Date.now() + ahead };
  const { noted } = await world.join({ clock });
  let finish = (): void => undefined;
  noted.act = () =>
    new Promise((resolve) => {
      finish = () => {
        resolve({ outcome: 'done' });
      };
    });
  const first = await world.c2.say('ACTION', { actionId: 6 });
  const second = await world.c2.say('ACTION', { actionId: 7 });
  await world.roundTrip();
  ahead = 660_000;
  finish();
  expect(await world.statusOf(first)).toBe(0x20);
  expect(await world.statusOf(second)).toBe(0x2f);
  expect(noted.asked).toEqual([{ do: 'act', token: first, actionId: 6 }]);
});

test('a clock that went back below the last commit is not believed', async ({ world }) => {
  const { agent } = await world.join();
  await agent.stop();
  const back: Clock = { ...systemClock, now: () => Date.now() - 86_400_000 };
  const { agent: again } = await world.start({ clock: back });
  await until('joined', () => again.status().phase === 'joined');
  const ancient = tokenKey(createToken(Date.now() - 30 * 86_400_000, new Uint8Array(10)));
  expect(await world.statusOf(await world.c2.say('ACTION', { actionId: 6 }, { token: ancient }))).toBe(0x20);
});

test("a clock that went back is not believed for an answer, which carries this device's own time", async ({
  world,
}) => {
  const { agent } = await world.join();
  expect(await world.statusOf(await world.c2.say('TERMINATE_CMD', {}))).toBe(0x70);
  await agent.stop();
  const back: Clock = { ...systemClock, now: () => Date.now() - 86_400_000 };
  const { agent: again } = await world.start({ clock: back });
  await until('connected', () => again.status().connected);
  await again.join();
  await world.c2.hear('JOIN_REQ', undefined, 2);
  await world.c2.accept();
  await until('joined', () => again.status().phase === 'joined');
  const ancient = tokenKey(createToken(Date.now() - 30 * 86_400_000, new Uint8Array(10)));
  expect(await world.statusOf(await world.c2.say('ACTION', { actionId: 6 }, { token: ancient }))).toBe(0x20);
});

test('numbers that are used up: nothing more is said, and nothing jams', async ({ world }) => {
  const { agent, noted } = await world.start();
  await world.meet();
  const { token } = await world.c2.hear('JOIN_REQ');
  await world.c2.say('RESPONSE', { status: 0x50 }, { token, sequence: 2n ** 64n - 2n });
  await agent.joined;
  // Its answer would be the number after the last one.
  await world.c2.say('ACTION', { actionId: 6 }, { sequence: 2n ** 64n - 1n });
  await until('the action is done', () => noted.asked.length === 1);
  await until('it is told', () => world.log.lines.some(({ text }) => text.includes('used up')));
  expect(await agent.report('temperature', Buffer.from('1'))).toBe('refused');
  await agent.stop();
  const again = await world.start();
  await until('it is connected again', () => again.agent.status().connected);
  expect(again.noted.asked).toEqual([]);
  expect(again.agent.status()).toMatchObject({ phase: 'joined', waiting: 0 });
});

test('a certificate that grows old is renewed, and the connection goes on with the new one (P 8.3)', async ({
  world,
}) => {
  const { agent } = await world.join();
  const before = await readFile(keyPath(homeAt(world.home), 'tlsCertificate'), 'utf8');
  await agent.stop();
  // Certificates of the tests live for two hours, of which one is over.
  const later: Clock = { ...systemClock, now: () => Date.now() + 1_800_000 };
  const { agent: again } = await world.start({ clock: later });
  await expect
    .poll(() => readFile(keyPath(homeAt(world.home), 'tlsCertificate'), 'utf8'), { timeout: 10_000 })
    .not.toBe(before);
  expect(world.service.calls.filter((call) => call === 'POST access')).toHaveLength(2);
  await until('renewed', () => world.log.lines.some(({ text }) => text.includes('is renewed')));
  await until('connected', () => again.status().connected);
  await world.roundTrip();
});

test('a second agent in the same folder is refused and told which process has it', async ({ world }) => {
  const { noted } = await world.join();
  const options = {
    config: world.config(),
    home: world.home,
    log: world.log,
    openPerformers: noted.open,
    mqtt: QUICK,
  };
  await expect(startAgent(options)).rejects.toMatchObject({
    name: 'AgentError',
    message: expect.stringContaining(`process ${process.pid}`) as string,
  });
});

test('a running agent is asked for its status, and to leave, through its socket', async ({ world }) => {
  const { agent } = await world.join();
  const { socket } = homeAt(world.home);
  expect((await askAgent(socket, 'status'))?.value).toMatchObject({ phase: 'joined', id: agent.status().id });
  await askAgent(socket, 'resign');
  const asked = await world.c2.hear('RESIGN_REQUEST');
  await world.c2.say('RESPONSE', { status: 0x70 }, { token: asked.token });
  await until('left', () => agent.status().phase === 'left');
  await agent.stop();
  expect(await askAgent(socket, 'status')).toBeUndefined();
});

test('with the wrong fingerprint nothing is registered, and what to do is said; but the program runs on', async ({
  world,
}) => {
  const { agent, noted } = await world.start({}, { caFingerprint: 'ab'.repeat(32) });
  await until('it says so', () => agent.status().trouble?.hint?.includes('do not go on') === true);
  expect(agent.status().phase).toBe('unregistered');
  expect(world.service.calls).toEqual([]);
  expect(noted.running).toBe(true);
});

test('no secret and no body gets into the log', async ({ world }) => {
  const { noted } = await world.join();
  await noted.surroundings!.report('secret', Buffer.from('launch code 0000'));
  await world.roundTrip();
  const said = JSON.stringify(world.log.lines);
  expect(said).not.toContain('launch code');
  for (const name of (await readdir(join(world.home, 'keys'))).filter((file) => file.endsWith('.key.pem'))) {
    const line = (await readFile(join(world.home, 'keys', name), 'utf8')).split('\n')[1]!;
    expect(said).not.toContain(line);
  }
});
