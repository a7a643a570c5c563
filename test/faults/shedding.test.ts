import { expect } from 'vitest';
import { runsPrograms, writeProgram } from '../support/programs.ts';
import type { Arena } from '../attacks/support/arena.ts';
import { test } from '../attacks/support/fixtures.ts';
import { loadFrom } from '../attacks/support/download.ts';
import { startMirror } from '../attacks/support/mirror.ts';

const SHED_MS = 3_000;

let arena: Arena;

test.beforeAll(async ({ openArena }) => {
  arena = await openArena('embedded', { front: true });
});
test('a file server that sheds load for some seconds is asked again when it says, and the update gets there', async () => {
  const factory = await writeProgram(arena.ground, 'factory');
  const device = await arena.joined('pump', { software: runsPrograms(factory) });
  const program = await writeProgram(arena.ground, 'v2');
  let began: number | undefined;
  const times: number[] = [];
  const files = await startMirror(arena, (_, response) => {
    const now = performance.now();
    began ??= now;
    times.push(now - began);
    if (now - began < SHED_MS) response.writeHead(503, { 'retry-after': '2' }).end();
    else response.end(program.text);
  });
  expect(await loadFrom(arena, files, device, program)).toMatchObject({ phase: 'staged' });
  expect(times.length).toBeGreaterThan(1);
  times.slice(1).forEach((time, index) => {
    expect(time - (times[index] ?? 0)).toBeGreaterThan(1_900);
  });
});
