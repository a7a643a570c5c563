import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock, systemRandom } from '@srup/node';
import { decode, fromHex, identityText, STATUS, toHex } from '@srup/protocol';
import {
  directoryOf,
  makeDevice,
  makeServer,
  until,
  type TestDevice,
  type TestServer,
} from '../test/fleet/device.ts';
import { createTestLink, type TestLink } from '../test/fleet/link.ts';
import type { Instant, VictimOrders } from '../test/fleet/victim.ts';
import { coreMigrations as coreMigrations } from './store/schema/migrations.ts';
import type { CoreTables as CoreTables } from './store/schema/tables.ts';
import { openSqlite } from './store/sqlite/open.ts';
import { createFleet, type RunningFleet } from './fleet.ts';

const VICTIM = fileURLToPath(new URL('../test/fleet/victim.ts', import.meta.url));

let folder: string;
let file: string;
let broker: string;
let server: TestServer;
let device: TestDevice;

beforeEach(async () => {
  folder = await mkdtemp(joinPath(tmpdir(), 'srup-kill-'));
  file = joinPath(folder, 'server.db');
  broker = joinPath(folder, 'broker.log');
  await writeFile(broker, '');
  server = await makeServer();
  // Its signatures differ each time: bytes that are the same were kept, not made again.
  device = await makeDevice(server, 'ml-dsa-65');
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Runs the server until it is dead; gives the lines that it printed. */
async function runVictim(orders: Pick<VictimOrders, 'die' | 'deliver' | 'command'>): Promise<string[]> {
  const path = joinPath(folder, 'orders.json');
  const { enrolment } = device;
  const all: VictimOrders = {
    file,
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

async function sentBefore(): Promise<Uint8Array[]> {
  const lines = (await readFile(broker, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line) => fromHex(line.split(' ')[1] as string) as Uint8Array);
}

/** The next start, in this process; what it publishes is in `link.published`. */
async function surviving<Value>(
  work: (fleet: RunningFleet, link: TestLink) => Promise<Value>,
): Promise<Value> {
  const store = await openSqlite<CoreTables>(file, coreMigrations);
  const link = createTestLink();
  const silent = () => undefined;
  const fleet = await createFleet({
    store,
    serverId: server.id,
    keys: server.keys,
    directory: directoryOf(device),
    link,
    clock: systemClock,
    random: systemRandom,
    log: { debug: silent, info: silent, warn: silent, error: silent },
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

test.each<[string, Instant, number]>([
  ['committed, not acknowledged', 'commit', 1],
  ['committed, not signed', 'sign', 1],
  ['signed, not left', 'publish', 1],
  ['left, not noted', 'published', 1],
  ['the second left, not noted', 'published', 2],
])('killed when a join is %s: it is answered exactly once', async (_, at, time) => {
  const policy = await openSqlite<CoreTables>(file, coreMigrations);
  await policy.commit((write) => write.updateTable('join_policies').set({ verdict: 'accept' }).execute());
  await policy.close();
  const request = await device.write('JOIN_REQ', {});
  const orders = { deliver: [{ topic: request.topic, hex: toHex(request.bytes) }], command: [] };
  const lines = await runVictim({ die: { at, time }, ...orders });
  const before = await sentBefore();

  await surviving(async (fleet, link) => {
    // A broker brings again what was not acknowledged, and what was while the PUBACK got lost.
    if (at === 'commit') expect(lines).toEqual([]);
    await link.deliver(request.topic, request.bytes);
    await until(() => [...before, ...link.published.map(({ bytes }) => bytes)].length >= 2);
    await until(async () => (await fleet.messages({ device: device.text })).rows.length === 3);
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

test('killed three times in the middle of many commands: none is lost, no number is used twice', async () => {
  const policy = await openSqlite<CoreTables>(file, coreMigrations);
  await policy.commit((write) => write.updateTable('join_policies').set({ verdict: 'accept' }).execute());
  await policy.close();
  const request = await device.write('JOIN_REQ', {});
  await surviving(async (_, link) => {
    await link.deliver(request.topic, request.bytes);
    await until(() => link.published.length === 2);
    for (const { bytes } of link.published) device.hear(bytes);
  });
  const promised = new Set<string>();
  const instants: readonly Instant[] = ['publish', 'sign', 'published'];
  for (const [index, at] of instants.entries()) {
    const lines = await runVictim({ die: { at, time: 20 + 7 * index }, deliver: [], command: [device.text] });
    for (const line of lines) promised.add(line.replace('command ', ''));
  }
  expect(promised.size).toBeGreaterThan(20);
  const last = await surviving(async (_, link) => {
    await until(() => link.published.length > 0);
    const store = await openSqlite<CoreTables>(file, coreMigrations);
    await until(async () => (await store.read.selectFrom('outbox').select('id').execute()).length === 0);
    await store.close();
    return link.published.map(({ bytes }) => bytes);
  });
  const all = [...(await sentBefore()), ...last];
  expectNumbersUsedOnce(all);
  const heard = new Set<string>();
  for (const bytes of all) {
    const message = device.hear(bytes);
    if (typeof message !== 'string') heard.add(new TextDecoder().decode(message.token));
  }
  for (const token of promised) expect(heard).toContain(token);
});
