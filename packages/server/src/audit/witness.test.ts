import { once } from 'node:events';
import { appendFile, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'vitest';
import { systemClock, systemRandom } from '@srup/node';
import { until } from '@srup/node/testing';
import { behind } from '../../test/database.ts';
import { test as base } from '../../test/fixtures.ts';
import { nameWitnesses, openWitness, type Witness } from './witness.ts';

const test = base
  /** Opens the witness at a place. */
  .extend('open', ({ store, log }) => async (place: string): Promise<Witness> => {
    await nameWitnesses(store, [place]);
    return openWitness(place, { store, clock: systemClock, random: systemRandom, log });
  })
  /** Adds checkpoints after these entries. */
  .extend('sign', ({ store }) => async (...places: readonly number[]): Promise<void> => {
    for (const seq of places)
      await behind(store)
        .insertInto('audit_checkpoints')
        .values({ seq, at: 1, text: `checkpoint ${seq}`, signature: 'ab' })
        .execute();
  });

test('a witness that answers slowly, or not at all, delays no stop', async ({
  store,
  log,
  open,
  sign,
  onTestFinished,
}) => {
  let asked = 0;
  let isSlow = true;
  const http = createServer((request, response) => {
    asked += 1;
    request.resume();
    if (isSlow) setTimeout(() => response.end(), 100);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  await once(http, 'listening');
  await sign(...Array.from({ length: 200 }, (_, index) => index + 1));
  const witness = await open(`http://127.0.0.1:${(http.address() as AddressInfo).port}/`);
  witness.nudge();
  await until('the second question', () => asked === 2);
  isSlow = false; // from now on it says nothing
  await until('a later question', () => asked > 2);
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

test('a stop brings the last checkpoint', async ({ folder, open, sign }) => {
  const file = join(folder, 'witness');
  const witness = await open(file);
  await sign(1);
  witness.nudge();
  await sign(2);
  await witness.stop(5_000);
  expect((await readFile(file, 'utf8')).match(/checkpoint \d/g)).toEqual(['checkpoint 1', 'checkpoint 2']);
});

test('a line that a power cut tore spoils no line after it', async ({ folder, open, sign }) => {
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
