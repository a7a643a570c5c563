/** Threat 16: somebody else reports "installed", or repeats the device's last success (P 6.3, 7.4). */
import { beforeEach, expect } from 'vitest';
import { STATUS } from '@srup/protocol';
import { onEachBroker } from '../support/fixtures.ts';
import { writeProgram } from '../support/programs.ts';
import type { Arena } from './support/arena.ts';
import { test } from './support/fixtures.ts';
import { enrolAttacker, type Attacker, type Link } from './support/attacker.ts';

const SUCCESS = { status: STATUS.UPDATE_SUCCESS };

onEachBroker('forged status', (broker) => {
  let arena: Arena;
  let digest: string;
  let victim: Attacker;
  let rogue: Attacker;
  let victimLink: Link;

  test.beforeAll(async ({ openArena }) => {
    arena = await openArena(broker, { lawless: true });
    const program = await writeProgram(arena.ground, 'v2');
    digest = program.digest;
    await arena.upload(program.text, digest);
  });

  beforeEach(async () => {
    [victim, rogue] = await Promise.all([enrolAttacker(arena), enrolAttacker(arena)]);
  });

  /** Opens an update that the victim receives and does not answer. */
  async function openUpdate(): Promise<string> {
    const token = await arena.command(victim.text, { kind: 'update', digest, activate: false });
    await victim.hear(victimLink, 'INITIATE', token);
    return token;
  }

  test('of another device, by every way there is, proves nothing; its own does', async () => {
    await arena.lacking();
    victimLink = await victim.join();
    const rogueLink = await rogue.join();
    const past = await openUpdate();
    const told = await victim.say(victimLink, 'RESPONSE', SUCCESS, { token: past });
    await arena.phase(victim.text, past, 'staged');

    const token = await openUpdate();
    const own = await rogue.write('RESPONSE', SUCCESS, { token });
    const key = rogue.keys.signing.privatePem;
    const named = await victim.write('RESPONSE', SUCCESS, { token, key });
    const before = await arena.refusals();
    for (const [topic, bytes] of [
      [rogue.topic, own.bytes], // FLOW_TOKEN
      [victim.topic, own.bytes], // AUTH_TOPIC
      [victim.topic, named.bytes], // AUTH_SIGNATURE
      [rogue.topic, named.bytes], // AUTH_TOPIC
      [victim.topic, told.bytes], // REPLAY_SEEN
    ] as const) {
      await rogueLink.publish(topic, bytes);
    }
    await arena.refused(before, { FLOW_TOKEN: 1, AUTH_TOPIC: 2, AUTH_SIGNATURE: 1, REPLAY_SEEN: 1 });
    expect(await arena.exchange(victim.text, token)).toMatchObject({ phase: 'initiated' });

    await victim.say(victimLink, 'RESPONSE', SUCCESS, { token });
    await arena.phase(victim.text, token, 'staged');
  });

  test("without the signature, another device's word is taken for this one's", async () => {
    await arena.lacking('signature');
    victimLink = await victim.join();
    const rogueLink = await rogue.join();
    const token = await openUpdate();
    const key = rogue.keys.signing.privatePem;
    const named = await victim.write('RESPONSE', SUCCESS, { token, key });
    await rogueLink.publish(named.topic, named.bytes);
    await arena.phase(victim.text, token, 'staged');
    expect(await arena.device(victim.text)).toMatchObject({ staged: { digest } });
  });
});
