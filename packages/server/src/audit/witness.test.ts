import { once } from 'node:events';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock, systemRandom } from '@srup/node';
import { until } from '../../test/fleet/device.ts';
import { collectLog } from '../../test/fleet/world.ts';
import { openSqlite } from '../store/sqlite/open.ts';
import { coreMigrations } from '../store/schema/migrations.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { nameWitnesses, openWitness, type Witness } from './witness.ts';
import type { Store } from '../store/port.ts';
import { behind } from '../../test/store.ts';

let folder: string;
let store: Store<CoreTables>;
let log: ReturnType<typeof collectLog>;
let http: Server | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-witness-'));
  store = await openSqlite(join(folder, 'test.db'), coreMigrations);
  log = collectLog();
});

afterEach(async () => {
  http?.closeAllConnections();
  http?.close();
  http = undefined;
  await store.close().catch(() => undefined); // a test may have done it
  await rm(folder, { recursive: true });
});

async function open(place: string): Promise<Witness> {
  await nameWitnesses(store, [place]);
  return openWitness(place, { store, clock: systemClock, random: systemRandom, log });
}

async function sign(...places: readonly number[]): Promise<void> {
  for (const seq of places)
    await behind(store)
      .insertInto('audit_checkpoints')
      .values({ seq, at: 1, text: `checkpoint ${seq}`, signature: 'ab' })
      .execute();
}

test('a witness that answers slowly, or not at all, delays no stop', async () => {
  let asked = 0;
  let isSlow = true;
  http = createServer((request, response) => {
    asked += 1;
    request.resume();
    if (isSlow) setTimeout(() => response.end(), 100);
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  await sign(...Array.from({ length: 200 }, (_, index) => index + 1));
  const witness = await open(`http://127.0.0.1:${(http.address() as AddressInfo).port}/`);
  witness.nudge();
  await until(() => asked === 2);
  isSlow = false; // from now on it says nothing
  await until(() => asked > 2);
  const begun = performance.now();
  await witness.stop(200);
  expect(performance.now() - begun).toBeLessThan(2_000);
  // The server goes on with its end; what the witness was doing is over, and no trouble of it.
  await store.close();
  const last = asked;
  witness.nudge();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(asked).toBe(last);
  expect(log.lines).toEqual([]);
});

test('a stop brings the last checkpoint', async () => {
  const file = join(folder, 'witness');
  const witness = await open(file);
  await sign(1);
  witness.nudge();
  await sign(2);
  await witness.stop(5_000);
  expect((await readFile(file, 'utf8')).match(/checkpoint \d/g)).toEqual(['checkpoint 1', 'checkpoint 2']);
});

test('a line that a power cut tore spoils no line after it', async () => {
  const file = join(folder, 'witness');
  await appendFile(file, '{"checkpoint":"srup-ch');
  await sign(1);
  let witness = await open(file);
  await witness.stop(5_000);
  await sign(2);
  witness = await open(file);
  await witness.stop(5_000);
  const lines = (await readFile(file, 'utf8')).split('\n');
  expect(lines).toEqual([
    '{"checkpoint":"srup-ch',
    '{"checkpoint":"checkpoint 1","signature":"ab"}',
    '{"checkpoint":"checkpoint 2","signature":"ab"}',
    '',
  ]);
});
