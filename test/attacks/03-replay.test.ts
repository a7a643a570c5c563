/** Threat 3: an attacker who listens at the broker sends again all that was sent (P 5, 6). */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { encodeText } from '@srup/protocol';
import { onEachBroker } from '../support/fixtures.ts';
import { until } from '../support/wait.ts';
import type { Arena, Victim } from './support/arena.ts';
import { test } from './support/fixtures.ts';
import { enrolAttacker, type Attacker, type Heard, type Link } from './support/attacker.ts';
import type { MutationName } from './support/mutations.ts';

/** An action that leaves a line in a file each time it is done. */
const ACTION = 0x41;
const LEAVE_LINE = "require('node:fs').appendFileSync(process.argv[1], 'done\\n')";

onEachBroker('replay', (broker) => {
  let arena: Arena;
  let rogue: Attacker;
  let rogueLink: Link;

  test.beforeAll(async ({ openArena }) => {
    arena = await openArena(broker, { lawless: true });
    rogue = await enrolAttacker(arena);
    rogueLink = await listen();
  });

  async function listen(): Promise<Link> {
    const link = await rogue.join();
    await link.subscribe('SRUP/#');
    return link;
  }

  const traceOf = (name: string): string => join(arena.ground.folder, `${name}.lines`);
  const linesOf = async (name: string): Promise<number> =>
    (await readFile(traceOf(name), 'utf8').catch(() => '')).length / 'done\n'.length;

  function start(name: string, checks: readonly MutationName[] = []): Promise<Victim> {
    const command: [string, ...string[]] = [process.execPath, '-e', LEAVE_LINE, traceOf(name)];
    return arena.joined(name, { actions: { commands: { '41': command } } }, checks);
  }

  async function order({ id }: Victim): Promise<void> {
    await arena.phase(id, await arena.command(id, { kind: 'action', actionId: ACTION }), 'done');
  }

  /** All messages on its topics. */
  function captured(id: string): Heard[] {
    return rogueLink.heard.filter(({ topic }) => topic.endsWith(`/${id}`));
  }

  async function sayAgain(messages: readonly Heard[], on?: string): Promise<void> {
    for (const { topic, bytes } of messages) await rogueLink.publish(on ?? topic, bytes);
  }

  test('in the same session, after a reboot, and at a sibling: nothing is done twice', async () => {
    await arena.lacking();
    const [pump, sibling] = await Promise.all([start('pump'), start('sibling')]);
    await order(pump);
    const messages = captured(pump.id);
    expect(new Set(messages.map(({ topic }) => topic)).size).toBe(2); // its own, and that of its join
    await sayAgain(messages);
    await order(pump); // what came before it was judged by then
    expect(await linesOf('pump')).toBe(2);

    await pump.device.process.stop('SIGKILL');
    pump.device.restart();
    await sayAgain(messages);
    await order(pump);
    expect(await linesOf('pump')).toBe(3);
    const { refusals } = await pump.status();
    expect(refusals.REPLAY_SEEN).toBeGreaterThan(0);

    await sayAgain(messages, `SRUP/${sibling.id}`);
    await order(sibling);
    expect(await linesOf('sibling')).toBe(1);
  });

  test('to the server: a report counts once', async () => {
    await arena.lacking();
    const victim = await enrolAttacker(arena);
    const link = await victim.join();
    const said = await victim.say(link, 'DATA', { dataId: 'level', data: encodeText('7') });
    const before = await arena.refusals();
    await rogueLink.publish(said.topic, said.bytes);
    await arena.refused(before, { REPLAY_SEEN: 1 });
    expect(await arena.data(victim.text, 'level')).toEqual(['7']);
  });

  test('without window and memory of tokens, the device does again what it did', async () => {
    await arena.lacking();
    const pump = await start('forgetful', ['replayWindow', 'finishedTokens']);
    await order(pump);
    await sayAgain(captured(pump.id));
    await until('it was done again', async () => (await linesOf('forgetful')) > 1);
  });

  test('without window and memory of tokens, the server takes a report again', async () => {
    await arena.lacking('replayWindow', 'repeatedData');
    rogueLink = await listen();
    const victim = await enrolAttacker(arena);
    const link = await victim.join();
    const said = await victim.say(link, 'DATA', { dataId: 'level', data: encodeText('7') });
    await rogueLink.publish(said.topic, said.bytes);
    await until('it counts twice', async () => (await arena.data(victim.text, 'level')).length === 2);
  });
});
