/** Threat 14: an attacker who can write to the device's disk replaces the staged file before ACTIVATE (P 10.3). */
import { existsSync } from 'node:fs';
import { copyFile, readFile, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { runsPrograms, writeProgram, type Program } from '../support/programs.ts';
import { until } from '../support/wait.ts';
import type { Arena, Victim } from './support/arena.ts';
import { test } from './support/fixtures.ts';
import type { MutationName } from './support/mutations.ts';

let arena: Arena;
let factory: Program;

test.beforeAll(async ({ openArena }) => {
  arena = await openArena('embedded');
  factory = await writeProgram(arena.ground, 'factory');
});

function startVictim(name: string, checks: readonly MutationName[] = []): Promise<Victim> {
  return arena.joined(name, { software: runsPrograms(factory) }, checks);
}

const SWAPS = {
  'written over': (staged, other) => copyFile(other, staged),
  'renamed into its place': async (staged, other) => {
    await copyFile(other, `${staged}.other`);
    await rename(`${staged}.other`, staged);
  },
  'a link in its place': async (staged, other) => {
    await rm(staged);
    await symlink(other, staged);
  },
} satisfies Record<string, (staged: string, other: string) => Promise<void>>;
type Swap = keyof typeof SWAPS;

/** Stages an update, swaps its file and activates. Returns its token, and the file that the attacker's program writes. */
async function attack({ id, device }: Victim, how: Swap) {
  const { ground } = arena;
  const name = `${how}-${id}`.replaceAll(' ', '-');
  const trace = join(ground.folder, `trace-${name}`);
  const leaveTrace = `process.getBuiltinModule('node:fs').writeFileSync(${JSON.stringify(trace)}, '');`;
  const [good, bad] = [
    await writeProgram(ground, `good-${name}`),
    await writeProgram(ground, `bad-${name}`, leaveTrace),
  ];
  await arena.upload(await readFile(good.path), good.digest);
  const token = await arena.command(id, { kind: 'update', digest: good.digest, activate: false });
  await arena.phase(id, token, 'staged');
  await SWAPS[how](join(device.home, 'software', 'slots', good.digest, 'artifact'), bad.path);
  await arena.api.send('POST', `/devices/${id}/exchanges/${token}/activate`);
  return { token, trace };
}

test('whatever is in the place of the file, it does not run, and the old software goes on', async () => {
  const victim = await startVictim('pump');
  for (const how of Object.keys(SWAPS) as Swap[]) {
    const { token, trace } = await attack(victim, how);
    await arena.phase(victim.id, token, 'reverted');
    expect([how, existsSync(trace)]).toEqual([how, false]);
  }
  expect((await arena.device(victim.id)).running).toBeUndefined();
  // The device still works.
  const next = await writeProgram(arena.ground, 'next');
  await arena.upload(await readFile(next.path), next.digest);
  const update = await arena.command(victim.id, { kind: 'update', digest: next.digest, activate: true });
  await arena.phase(victim.id, update, 'active');
});

test.each([
  ['written over', ['rehash']],
  ['a link in its place', ['rehash', 'noFollow', 'sameFile']],
] as const)('without the second look at the file, what was put there runs: %s', async (how, checks) => {
  const victim = await startVictim(`mutant-${checks.length}`, checks);
  const { trace } = await attack(victim, how);
  await until("the attacker's program has run", () => existsSync(trace));
});
