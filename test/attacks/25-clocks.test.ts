/** Threat 25: a clock that has lost its time, in 1970 or in 2099, at the device or at the server (P 6.2). */
import { expect } from 'vitest';
import { STATUS } from '@srup/protocol';
import { onEachBroker } from '../support/fixtures.ts';
import { runsPrograms, writeProgram, type Program } from '../support/programs.ts';
import type { Arena, Victim } from './support/arena.ts';
import { test } from './support/fixtures.ts';
import { takingAway } from './support/mutant.ts';
import type { MutationName } from './support/mutations.ts';

/** One that needs no clock: the built-in self-test says that the clock is not set. */
const ACTION = 0x41;
const commands = { '41': [process.execPath, '-e', '0'] as [string, ...string[]] };

onEachBroker('clocks', (broker) => {
  let arena: Arena;
  let factory: Program;
  let next: Program;

  test.beforeAll(async ({ openArena }) => {
    arena = await openArena(broker);
    factory = await writeProgram(arena.ground, 'factory');
    next = await writeProgram(arena.ground, 'next');
    await arena.upload(next.text, next.digest);
  });

  const start = (name: string, checks: readonly MutationName[] = []): Promise<Victim> =>
    arena.joined(name, { software: runsPrograms(factory), actions: { commands } }, checks);
  const act = ({ id }: Victim): Promise<string> => arena.command(id, { kind: 'action', actionId: ACTION });
  const update = ({ id }: Victim): Promise<string> =>
    arena.command(id, { kind: 'update', digest: next.digest, activate: true });

  test.each(['clock1970', 'clock2099'] as const)(
    'a device with %s registers, joins, acts and is updated',
    async (clock) => {
      const victim = await start(clock, [clock]);
      await arena.phase(victim.id, await act(victim), 'done');
      await arena.phase(victim.id, await update(victim), 'active');
    },
  );

  test('a device whose clock is lost, and found again, goes on all the while', async () => {
    const victim = await start('pump');
    const clocks: (readonly MutationName[])[] = [['clock1970'], ['clock2099'], []];
    for (const checks of clocks) {
      await victim.device.process.stop();
      victim.device.restart({ ...takingAway(...checks) });
      await arena.phase(victim.id, await act(victim), 'done');
    }
    await arena.phase(victim.id, await update(victim), 'active');
  });

  test('a server whose clock was lost goes on once it is found again', async () => {
    const victim = await start('patient');
    for (const clock of ['clock1970', 'clock2099'] as const) {
      await arena.lacking(clock);
      await arena.lacking();
      await arena.phase(victim.id, await act(victim), 'done');
    }
  });

  test('without the question whether the clock is set, a device in 2099 obeys nobody', async () => {
    const victim = await start('strict', ['clock2099', 'clockTrust']);
    const exchange = await arena.phase(victim.id, await act(victim), 'done', 'failed');
    expect(exchange).toMatchObject({ phase: 'failed', status: STATUS.ACTION_FAIL });
    expect((await victim.status()).refusals).toMatchObject({ FLOW_TOKEN_AGE: 1 });
  });
});
