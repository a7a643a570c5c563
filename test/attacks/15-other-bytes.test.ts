/** Threat 15: a mirror appends to the file, or cuts its last byte (P 10.2). */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { STATUS } from '@srup/protocol';
import { runsPrograms, writeProgram, type Program } from '../support/programs.ts';
import { until } from '../support/wait.ts';
import type { Arena } from './support/arena.ts';
import { test } from './support/fixtures.ts';
import { expectUnharmed, leftovers, loadFrom, orderFrom } from './support/download.ts';
import { startMirror, type Mirror } from './support/mirror.ts';

let arena: Arena;
let factory: Program;

test.beforeAll(async ({ openArena }) => {
  arena = await openArena('embedded', { front: true });
  factory = await writeProgram(arena.ground, 'factory');
});

function serve(body: string): Promise<Mirror> {
  return startMirror(arena, (_request, response) => {
    response.writeHead(200, { 'content-length': Buffer.byteLength(body) }).end(body);
  });
}

test('another file than the signed digest names is thrown away, however small the difference', async () => {
  const victim = await arena.joined('pump', { software: runsPrograms(factory) });
  const program = await writeProgram(arena.ground, 'v2');
  for (const body of [`${program.text}\n`, program.text.slice(0, -1), ` ${program.text}`, 'garbage']) {
    const exchange = await loadFrom(arena, await serve(body), victim, program);
    expect([body, exchange.status]).toEqual([body, STATUS.UPDATE_FAIL_DIGEST]);
    expect(await leftovers(victim)).toEqual([]);
  }
  await expectUnharmed(arena, victim, program);
});

test('without the digest, the program that a mirror appended to runs', async () => {
  const victim = await arena.joined('credulous', { software: runsPrograms(factory) }, ['digest', 'rehash']);
  const program = await writeProgram(arena.ground, 'v3');
  const trace = join(arena.ground.folder, 'trace');
  const addition = `process.getBuiltinModule('node:fs').writeFileSync(${JSON.stringify(trace)}, '');\n`;
  await orderFrom(arena, await serve(program.text + addition), victim, program, true);
  await until('what was appended has run', () => existsSync(trace));
});
