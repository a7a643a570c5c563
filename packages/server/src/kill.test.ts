import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { silentLog, systemClock, systemRandom } from '@srup/node';
import { fakeLink, until, type FakeLink } from '@srup/node/testing';
import { decode, fromHex, identityText, STATUS, toHex } from '@srup/protocol';
import { openStore, packPlace } from '../test/database.ts';
import { test as base } from '../test/fixtures.ts';
import { directoryOf, makeDevice, type TestDevice, type TestServer } from '../test/fleet/device.ts';
import type { Instant, VictimOrders } from '../test/fleet/victim.ts';
import { openReadOnly, type StorePlace } from './store/open.ts';
import { coreMigrations } from './store/schema/migrations.ts';
import type { CoreTables } from './store/schema/tables.ts';
import { createFleet, type RunningFleet } from './fleet.ts';

const VICTIM = fileURLToPath(new URL('../test/fleet/victim.ts', import.meta.url));

/** What outlives a server that is killed: its folder, the broker, and the device. */
interface Place {
  readonly folder: string;
  readonly database: StorePlace;
  /** What the broker has, one message a line. */
  readonly broker: string;
  readonly server: TestServer;
  readonly device: TestDevice;
}

const test = base.extend('place', async ({ folder, database, server }): Promise<Place> => {
  const broker = joinPath(folder, 'broker.log');
  await writeFile(broker, '');
  // Its signatures differ each time: bytes that are the same were kept, not made again.
  return { folder, database, broker, server, device: await makeDevice(server, 'ml-dsa-65') };
});

/** The policy that lets every device in, as an earlier run of the server left it. */
async function acceptAll({ database }: Place): Promise<void> {
  const store = await openStore<CoreTables>(database, coreMigrations);
  await store.commit((write) => write.updateTable('join_policies').set({ verdict: 'accept' }).execute());
  await store.close();
}

/** Runs the server until it is dead; gives the lines that it printed. */
async function runVictim(
  { folder, database, broker, server, device }: Place,
  orders: Pick<VictimOrders, 'die' | 'deliver' | 'command'>,
): Promise<string[]> {
  const path = joinPath(folder, 'orders.json');
  const { enrolment } = device;
  const all: VictimOrders = {
    place: packPlace(database),
    broker,
    server: identityText(server.id),
    privatePems: server.privatePems,
    enrolments: [{ ...enrolment, id: device.text }],
    ...orders,
  };
  await writeFile(path, JSON.stringify(all));
  const child = spawn(process.execPath, [VICTIM, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const signal = await new Promise((resolve) =>
    child.on('close', (_, by) => {
      resolve(by);
    }),
  );
  expect(signal).toBe('SIGKILL');
  return output.split('\n').filter((line) => line !== '');
}

async function sentBefore({ broker }: Place): Promise<Uint8Array[]> {
  const lines = (await readFile(broker, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line) => fromHex(line.split(' ')[1] as string) as Uint8Array);
}

/** The next start, in this process; what it publishes is in `link.published`. */
async function surviving<Value>(
  { database, server, device }: Place,
  work: (fleet: RunningFleet, link: FakeLink) => Promise<Value>,
): Promise<Value> {
  const store = await openStore<CoreTables>(database, coreMigrations);
  const link = fakeLink();
  const fleet = await createFleet({
    store,
    serverId: server.id,
    keys: server.keys,
    directory: directoryOf(device),
    link,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  await fleet.start();
  link.connect();
  try {
    return await work(fleet, link);
  } finally {
    await fleet.stop();
    await store.close();
  }
}

/** One number stands for one message, however often it went out. */
function expectNumbersUsedOnce(all: readonly Uint8Array[]): void {
  const bySequence = new Map<bigint, string>();
  for (const bytes of all) {
    const decoded = decode(bytes);
    if (!decoded.ok) throw new Error(decoded.code);
    const { sequence } = decoded.value.message;
    expect(bySequence.get(sequence) ?? toHex(bytes)).toBe(toHex(bytes));
    bySequence.set(sequence, toHex(bytes));
  }
}

test.for<[string, Instant, number]>([
  ['committed, not acknowledged', 'commit', 1],
  ['committed, not signed', 'sign', 1],
  ['signed, not left', 'publish', 1],
  ['left, not noted', 'published', 1],
  ['the second left, not noted', 'published', 2],
])('killed when a join is %s: it is answered exactly once', async ([, at, time], { place }) => {
  await acceptAll(place);
  const { device } = place;
  const request = await device.write('JOIN_REQ', {});
  const orders = { deliver: [{ topic: request.topic, hex: toHex(request.bytes) }], command: [] };
  const lines = await runVictim(place, { die: { at, time }, ...orders });
  const before = await sentBefore(place);

  await surviving(place, async (fleet, link) => {
    // A broker brings again what was not acknowledged, and what was while the PUBACK got lost.
    if (at === 'commit') expect(lines).toEqual([]);
    await link.deliver(request.topic, request.bytes);
    await until('the answers', () => [...before, ...link.published.map(({ bytes }) => bytes)].length >= 2);
    await until(
      'three messages',
      async () => (await fleet.messages({ device: device.text })).rows.length === 3,
    );
    const all = [...before, ...link.published.map(({ bytes }) => bytes)];
    expectNumbersUsedOnce(all);
    const heard = all.map((bytes) => device.hear(bytes));
    expect(heard.filter((message) => message !== 'REPLAY_SEEN')).toMatchObject([
      { type: 'RESPONSE', body: { status: STATUS.JOIN_SUCCESS } },
      { type: 'ID_REQUEST' },
    ]);
    expect((await fleet.refusals({})).rows.map(({ code }) => code)).toEqual(['REPLAY_SEEN']);
    expect((await fleet.exchanges({ kind: 'join' })).rows).toHaveLength(1);
  });
});

test('killed three times in the middle of many commands: none is lost, no number is used twice', async ({
  place,
}) => {
  await acceptAll(place);
  const { device } = place;
  const request = await device.write('JOIN_REQ', {});
  await surviving(place, async (_, link) => {
    await link.deliver(request.topic, request.bytes);
    await until('the answers', () => link.published.length === 2);
    for (const { bytes } of link.published) device.hear(bytes);
  });
  const promised = new Set<string>();
  const instants: readonly Instant[] = ['publish', 'sign', 'published'];
  for (const [index, at] of instants.entries()) {
    const lines = await runVictim(place, {
      die: { at, time: 20 + 7 * index },
      deliver: [],
      command: [device.text],
    });
    for (const line of lines) promised.add(line.replace('command ', ''));
  }
  expect(promised.size).toBeGreaterThan(20);
  const last = await surviving(place, async (_, link) => {
    await until('a message', () => link.published.length > 0);
    const store = openReadOnly<CoreTables>(place.database);
    const owed = store.read.selectFrom('outbox').select('id');
    await until('an empty outbox', async () => (await owed.execute()).length === 0);
    await store.close();
    return link.published.map(({ bytes }) => bytes);
  });
  const all = [...(await sentBefore(place)), ...last];
  expectNumbersUsedOnce(all);
  const heard = new Set<string>();
  for (const bytes of all) {
    const message = device.hear(bytes);
    if (typeof message !== 'string') heard.add(new TextDecoder().decode(message.token));
  }
  for (const token of promised) expect(heard).toContain(token);
});
