/** Threat 9: the way to the broker is cut, for long and again and again (P 5.4, 10.10). */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { onEachBroker } from '../support/fixtures.ts';
import { runsPrograms, writeProgram } from '../support/programs.ts';
import { PATIENT, until } from '../support/wait.ts';
import type { Arena, Victim } from './support/arena.ts';
import { test } from './support/fixtures.ts';
import type { MutationName } from './support/mutations.ts';

const ACTION = 0x41;
const LEAVE_LINE = "require('node:fs').appendFileSync(process.argv[1], 'done\\n')";
const ORDERS = 10;
const REPORTS = 20;
/** Enough for a handshake and a few messages. */
const BYTES_A_CONNECTION = 8_000;
const CUTS = 4;

onEachBroker('denial', (broker) => {
  let arena: Arena;

  test.beforeAll(async ({ openArena }) => {
    arena = await openArena(broker, { onBytes: () => undefined });
  });

  const at = (name: string): string => join(arena.ground.folder, name);
  const linesOf = async (name: string): Promise<number> =>
    (await readFile(at(`${name}.lines`), 'utf8').catch(() => '')).length / 'done\n'.length;

  /** Its program reports the numbers from 0 once a file is there. */
  async function start(name: string, checks: readonly MutationName[] = []): Promise<Victim> {
    const report = `for (let n = 0; n < ${REPORTS}; n++) console.log('n=' + n);`;
    const body = `
      const { existsSync } = process.getBuiltinModule('node:fs');
      const timer = setInterval(() => {
        if (!existsSync(${JSON.stringify(at(`${name}.go`))})) return;
        clearInterval(timer);
        if (existsSync(${JSON.stringify(at(`${name}.gone`))})) return;
        ${report}
      }, 20);`;
    const program = await writeProgram(arena.ground, name, body);
    const commands = {
      '41': [process.execPath, '-e', LEAVE_LINE, at(`${name}.lines`)] as [string, ...string[]],
    };
    return arena.joined(name, { software: runsPrograms(program), actions: { commands } }, checks);
  }

  const order = ({ id }: Victim): Promise<string> => arena.command(id, { kind: 'action', actionId: ACTION });

  /** Cuts the device off, lets it report meanwhile, and takes its power away before anybody has heard it. */
  async function cutOff(victim: Victim, name: string): Promise<void> {
    arena.wire?.leadTo(undefined);
    arena.wire?.cutAll();
    await until('the device is cut off', async () => !(await victim.status()).connected);
    await writeFile(at(`${name}.go`), '');
    await until('all reports wait', async () => (await victim.status()).waiting === REPORTS);
    await writeFile(at(`${name}.gone`), '');
    await victim.device.process.stop('SIGKILL');
  }

  function heal(victim: Victim, cuts: number): void {
    arena.wire?.cutAfter(BYTES_A_CONNECTION, cuts);
    arena.wire?.leadTo(arena.mqttsPort);
    victim.device.restart();
  }

  const reports = ({ id }: Victim): Promise<unknown[]> => arena.data(id, 'n');
  const byNumber = (a: unknown, b: unknown): number => Number(a) - Number(b);

  test('what was ordered and reported meanwhile is done and heard, once each', async () => {
    const victim = await start('pump');
    await cutOff(victim, 'pump');
    const tokens = await Promise.all(Array.from({ length: ORDERS }, () => order(victim)));
    heal(victim, CUTS);
    for (const token of tokens) await arena.phase(victim.id, token, 'done');
    expect(await linesOf('pump')).toBe(ORDERS);
    const all = Array.from({ length: REPORTS }, (_, n) => n);
    await expect.poll(async () => (await reports(victim)).toSorted(byNumber), PATIENT).toEqual(all);
  });

  test('without the outbox on the disk, what was reported meanwhile is lost', async () => {
    const victim = await start('forgetful', ['durableOutbox']);
    await cutOff(victim, 'forgetful');
    heal(victim, 0);
    await arena.phase(victim.id, await order(victim), 'done');
    expect(await reports(victim)).toEqual([]);
  });
});
