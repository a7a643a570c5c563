/** Threat 20: JOIN_CMD by somebody who is not the device's server, or for another device (P 9.7). */
import { expect } from 'vitest';
import { joinTopic, parseIdentity, type Identity } from '@srup/protocol';
import { onEachBroker } from '../support/fixtures.ts';
import { until } from '../support/wait.ts';
import type { Arena, Victim } from './support/arena.ts';
import { test } from './support/fixtures.ts';
import { enrolAttacker, type Attacker, type Link } from './support/attacker.ts';

onEachBroker('takeover by JOIN_CMD', (broker) => {
  let arena: Arena;
  let server: Identity;
  let rogue: Attacker;
  let rogueLink: Link;

  test.beforeAll(async ({ openArena }) => {
    arena = await openArena(broker, { lawless: true });
    server = parseIdentity(arena.serverId) as Identity;
    rogue = await enrolAttacker(arena);
    rogueLink = await rogue.join();
    await rogueLink.subscribe('SRUP/#');
  });

  const idOf = (victim: Victim): Identity => parseIdentity(victim.id) as Identity;

  /** The server's next number for a device, which a listener knows. */
  function nextNumber({ id }: Victim): bigint {
    const numbers = rogueLink.heard
      .filter(({ topic, bytes }) => topic === `SRUP/${id}` && senderOf(bytes) === server)
      .map(({ bytes }) => viewOf(bytes).getBigUint64(2, true));
    return numbers.reduce((highest, number) => (number > highest ? number : highest)) + 1n;
  }

  const requests = (victim: Victim): number =>
    rogueLink.heard.filter(({ topic }) => topic === joinTopic(server, idOf(victim))).length;

  /** A command for another device, signed with the server's key. It uses no number that the server needs. */
  async function misdirect(victim: Victim): Promise<void> {
    const written = await rogue.write(
      'JOIN_CMD',
      { deviceId: rogue.id },
      { sender: server, sequence: nextNumber(victim) + 10n, key: await arena.serverKey() },
    );
    await rogueLink.publish(`SRUP/${victim.id}`, written.bytes);
  }

  /** A command in the server's name, without its key. */
  async function forge(victim: Victim): Promise<void> {
    const body = { deviceId: idOf(victim) };
    const written = await rogue.write('JOIN_CMD', body, { sender: server, sequence: nextNumber(victim) });
    await rogueLink.publish(`SRUP/${victim.id}`, written.bytes);
  }

  test('by a sibling, in the name of the server, or for another device: refused, and the device stays', async () => {
    const victim = await arena.joined('pump');
    const before = requests(victim);
    const own = await rogue.write('JOIN_CMD', { deviceId: idOf(victim) });
    await rogueLink.publish(`SRUP/${victim.id}`, own.bytes);
    await forge(victim);
    await misdirect(victim);
    await until('all three were refused', async () => {
      const { AUTH_SENDER, AUTH_SIGNATURE, FLOW_TARGET } = (await victim.status()).refusals;
      return AUTH_SENDER === 1 && AUTH_SIGNATURE === 1 && FLOW_TARGET === 1;
    });
    expect(requests(victim)).toBe(before);
    const token = await arena.command(victim.id, { kind: 'action', actionId: 5 });
    await arena.phase(victim.id, token, 'done');
  });

  test.each([
    ['the signature', 'signature', forge],
    ['the id inside', 'joinTarget', misdirect],
  ] as const)(
    'without the check of what commands it, the device asks to join: %s',
    async (_what, check, attack) => {
      const victim = await arena.joined(`lacks-${check}`, {}, [check]);
      const before = requests(victim);
      await attack(victim);
      await until('it asks to join', () => requests(victim) > before);
    },
  );
});

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function senderOf(bytes: Uint8Array): bigint {
  return viewOf(bytes).getBigUint64(10, true);
}
