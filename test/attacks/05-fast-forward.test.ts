/** Threat 5: an attacker who has a device's key uses up its numbers at once (P 5.1, 5.2). */
import { expect } from 'vitest';
import { encodeText, MAX_U64 } from '@srup/protocol';
import { onEachBroker } from '../support/fixtures.ts';
import { PATIENT } from '../support/wait.ts';
import type { Arena } from './support/arena.ts';
import { test } from './support/fixtures.ts';
import { enrolAttacker, type Attacker } from './support/attacker.ts';

const report = (text: string) => ({ dataId: 'level', data: encodeText(text) });

onEachBroker('numbers at their maximum', (broker) => {
  let arena: Arena;

  test.beforeAll(async ({ openArena }) => {
    arena = await openArena(broker);
  });

  /** Sends a report with the highest possible number, and then the device's own next one. */
  async function jump(victim: Attacker) {
    const link = await victim.join();
    await victim.say(link, 'DATA', report('before'));
    const before = await arena.refusals();
    const stolen = await victim.write('DATA', report('stolen'), { sequence: MAX_U64 });
    await link.publish(stolen.topic, stolen.bytes);
    await victim.say(link, 'DATA', report('after'));
    return before;
  }

  test('a message that jumps too far is refused, and the next one of the device is taken', async () => {
    await arena.lacking();
    const victim = await enrolAttacker(arena);
    const before = await jump(victim);
    await arena.refused(before, { REPLAY_JUMP: 1 });
    await expect.poll(() => arena.data(victim.text, 'level'), PATIENT).toEqual(['before', 'after']);
  });

  test('numbers that were used up in a join end with that identity; others, and a new one, go on', async () => {
    await arena.lacking();
    const [burnt, other] = [await enrolAttacker(arena), await enrolAttacker(arena)];
    const otherLink = await other.join();
    const link = await burnt.connect();
    await burnt.say(link, 'JOIN_REQ', {}, { sequence: MAX_U64 });
    const token = await arena.command(other.text, { kind: 'action', actionId: 1 });
    await other.hear(otherLink, 'ACTION', token);
    await (await enrolAttacker(arena)).join();
  });

  test('without the bound, one message shuts out every genuine one', async () => {
    await arena.lacking('boundedJump');
    const victim = await enrolAttacker(arena);
    const before = await jump(victim);
    await arena.refused(before, { REPLAY_OLD: 1 });
    expect(await arena.data(victim.text, 'level')).toEqual(['before', 'stolen']);
  });
});
