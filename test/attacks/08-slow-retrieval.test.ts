/** Threat 8: a mirror that sends just enough to keep the connection open (P 10.2). */
import type { RequestListener } from 'node:http';
import { expect } from 'vitest';
import { STATUS } from '@srup/protocol';
import { runsPrograms, writeProgram, type Program } from '../support/programs.ts';
import { PATIENT } from '../support/wait.ts';
import type { Arena } from './support/arena.ts';
import { test } from './support/fixtures.ts';
import { expectUnharmed, loadFrom, orderFrom } from './support/download.ts';
import { startMirror, type Mirror } from './support/mirror.ts';

const ONE_BYTE_MS = 10_000;
/** Hasty, so that the test is short: the defaults are 256 bytes a second over a minute. */
const HASTY = { minBytesPerSecond: 256, windowSeconds: 1, attempts: 1 };

let arena: Arena;
let factory: Program;
let open = 0;

test.beforeAll(async ({ openArena }) => {
  arena = await openArena('embedded', { front: true });
  factory = await writeProgram(arena.ground, 'factory');
});

/** So many bytes each time, for ever. */
function trickle(bytes: number, everyMs: number): Promise<Mirror> {
  const listener: RequestListener = (_request, response) => {
    response.writeHead(200, { 'content-length': 1_000_000 }).write('x');
    const timer = setInterval(() => response.write('x'.repeat(bytes)), everyMs);
    open += 1;
    response.once('close', () => {
      clearInterval(timer);
      open -= 1;
    });
  };
  return startMirror(arena, listener);
}

test('one byte in ten seconds counts as no answer, and the device goes on', async () => {
  const victim = await arena.joined('pump', { software: runsPrograms(factory), fetch: HASTY });
  const program = await writeProgram(arena.ground, 'v2');
  const exchange = await loadFrom(arena, await trickle(1, ONE_BYTE_MS), victim, program);
  expect(exchange.status).toBe(STATUS.UPDATE_FAIL_SERVER);
  await expectUnharmed(arena, victim, program);
});

test('a rate that is just enough ends at the deadline', async () => {
  const fetch = { ...HASTY, deadlineSeconds: 2 };
  const victim = await arena.joined('patient', { software: runsPrograms(factory), fetch });
  const program = await writeProgram(arena.ground, 'v3');
  const exchange = await loadFrom(arena, await trickle(100, 100), victim, program);
  expect(exchange.status).toBe(STATUS.UPDATE_FAIL_SERVER);
});

test('without the least rate, the download hangs for as long as the mirror likes', async () => {
  const config = { software: runsPrograms(factory), fetch: HASTY };
  const [victim, mutant] = await Promise.all([
    arena.joined('timed', config),
    arena.joined('endless', config, ['leastRate']),
  ]);
  const program = await writeProgram(arena.ground, 'v4');
  const mirror = await trickle(1, ONE_BYTE_MS);
  const hanging = await orderFrom(arena, mirror, mutant, program);
  await expect.poll(() => mirror.asked.length, PATIENT).toBe(1);
  // The other one begins later, and is done long before.
  await loadFrom(arena, mirror, victim, program);
  expect(await arena.exchange(mutant.id, hanging)).toMatchObject({ phase: 'initiated' });
  expect(open).toBeGreaterThanOrEqual(1);
});
