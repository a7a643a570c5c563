/** Threat 19: a huge number in a message that the device did not sign (P 4.6). */
import { expect } from 'vitest';
import { encodeText, MAX_SEQUENCE_JUMP } from '@srup/protocol';
import { onEachBroker } from '../support/fixtures.ts';
import { PATIENT } from '../support/wait.ts';
import type { Arena } from './support/arena.ts';
import { test } from './support/fixtures.ts';
import { enrolAttacker, type Attacker } from './support/attacker.ts';

const report = (text: string) => ({ dataId: 'level', data: encodeText(text) });

onEachBroker('a number that nobody signed', (broker) => {
  let arena: Arena;

  test.beforeAll(async ({ openArena }) => {
    arena = await openArena(broker, { lawless: true });
  });

  /** A report as if of the victim, far ahead of it; then the victim's own. */
  async function poison(victim: Attacker, rogue: Attacker) {
    const [link, rogueLink] = [await victim.join(), await rogue.join()];
    const before = await arena.refusals();
    const first = await victim.say(link, 'DATA', report('first'));
    const sequence = new DataView(first.bytes.buffer, first.bytes.byteOffset).getBigUint64(2, true);
    const key = rogue.keys.signing.privatePem;
    const forged = await victim.write('DATA', report('forged'), {
      sequence: sequence + MAX_SEQUENCE_JUMP,
      key,
    });
    await rogueLink.publish(forged.topic, forged.bytes);
    await victim.say(link, 'DATA', report('genuine'));
    return before;
  }

  test('moves nothing: it is refused, and the genuine message after it is taken', async () => {
    await arena.lacking();
    const [victim, rogue] = [await enrolAttacker(arena), await enrolAttacker(arena)];
    const before = await poison(victim, rogue);
    await arena.refused(before, { AUTH_SIGNATURE: 1 });
    await expect.poll(() => arena.data(victim.text, 'level'), PATIENT).toEqual(['first', 'genuine']);
  });

  test('without the signature before it, the number counts and the genuine message is lost', async () => {
    await arena.lacking('signature');
    const [victim, rogue] = [await enrolAttacker(arena), await enrolAttacker(arena)];
    const before = await poison(victim, rogue);
    await arena.refused(before, { REPLAY_OLD: 1 });
    expect(await arena.data(victim.text, 'level')).toEqual(['first', 'forged']);
  });
});
