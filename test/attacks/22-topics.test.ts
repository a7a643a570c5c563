/** Threat 22: a device with a good certificate misuses the broker (P 7.1 to 7.4). */
import { describe, expect } from 'vitest';
import { encodeText, joinTopic, mqttClientId, parseIdentity, toHex, type Identity } from '@srup/protocol';
import { onEachBroker } from '../support/fixtures.ts';
import { until } from '../support/wait.ts';
import type { Arena } from './support/arena.ts';
import { test } from './support/fixtures.ts';
import { connect, enrolAttacker, type Attacker, type Link } from './support/attacker.ts';

const ACTION = 1;
const WILL = encodeText('the last will');

onEachBroker('topics', (broker) => {
  describe('by the rules', () => {
    let arena: Arena;
    let victim: Attacker;
    let victimLink: Link;
    let rogue: Attacker;

    test.beforeAll(async ({ openArena }) => {
      arena = await openArena(broker);
      [victim, rogue] = await Promise.all([enrolAttacker(arena), enrolAttacker(arena)]);
      victimLink = await victim.join();
    });

    /** The victim hears of an action; whatever was done before has had its effect by then. */
    async function command(): Promise<void> {
      const token = await arena.command(victim.text, { kind: 'action', actionId: ACTION });
      await victim.hear(victimLink, 'ACTION', token);
      await victim.say(victimLink, 'RESPONSE', { status: 0x20 }, { token });
    }

    const heardByVictim = (bytes: Uint8Array): boolean =>
      victimLink.heard.some((heard) => toHex(heard.bytes) === toHex(bytes));

    test('no client receives messages for others, whatever it subscribes to', async () => {
      const link = await rogue.connect();
      const server = arena.serverId;
      for (const filter of [
        '#',
        '+/+',
        'SRUP/#',
        'SRUP/+',
        victim.topic,
        `SRUP/servers/${server}/+`,
        `SRUP/servers/${server}/${victim.text}`,
        'SRUP/servers/+/+',
        '$share/group/SRUP/#',
      ]) {
        // Mosquitto grants it and gives nothing; the embedded broker refuses.
        await link.subscribe(filter);
      }
      await command();
      await rogue.join(); // what was meant for the first connection is there before this is done
      expect(link.heard.filter(({ topic }) => topic !== rogue.topic && !topic.startsWith('$SYS'))).toEqual(
        [],
      );
    });

    test("nobody speaks on a sibling's topic, nor asks to join for it", async () => {
      const said = await rogue.write('DATA', { dataId: 'level', data: encodeText('1') });
      const asked = await rogue.write('JOIN_REQ', {});
      const server = parseIdentity(arena.serverId) as Identity;
      const before = await arena.refusals();
      for (const [topic, bytes] of [
        [victim.topic, said.bytes],
        [joinTopic(server, victim.id), asked.bytes],
        [`SRUP/${arena.serverId}`, said.bytes],
      ] as const) {
        await (await rogue.connect()).publish(topic, bytes);
      }
      await command();
      expect(heardByVictim(said.bytes)).toBe(false);
      expect(await arena.refusals()).toEqual(before); // nothing of it came as far as the server
    });

    test('a will is not published for others to hear', async () => {
      const will = { topic: victim.topic, payload: Buffer.from(WILL), qos: 1, retain: false } as const;
      const link = await connect(arena, rogue.tls, { clientId: mqttClientId(rogue.id), will });
      if (typeof link !== 'string') await link.cut();
      await command();
      expect(heardByVictim(WILL)).toBe(false);
    });

    test('nothing is retained', async () => {
      const { bytes } = await rogue.write('DATA', { dataId: 'level', data: encodeText('2') });
      await (await rogue.connect()).publish(rogue.topic, bytes, { retain: true });
      const link = await rogue.join();
      expect(link.heard.filter(({ retained }) => retained)).toEqual([]);
    });

    test("the victim's client id throws nobody out", async () => {
      const link = await connect(arena, rogue.tls, { clientId: mqttClientId(victim.id), clean: false });
      if (typeof link !== 'string') await link.subscribe(victim.topic);
      await command();
      expect(victimLink.ended()).toBeUndefined();
      if (typeof link !== 'string') expect(link.heard).toEqual([]);
    });
  });

  describe('without the rules', () => {
    let arena: Arena;
    let victim: Attacker;
    let rogue: Attacker;

    test.beforeAll(async ({ openArena }) => {
      arena = await openArena(broker, { lawless: true });
      [victim, rogue] = await Promise.all([enrolAttacker(arena), enrolAttacker(arena)]);
    });

    test('without topic rules, every client receives all messages and publishes to everybody', async () => {
      const victimLink = await victim.join();
      const link = await rogue.connect();
      await link.subscribe('SRUP/#');
      const token = await arena.command(victim.text, { kind: 'action', actionId: ACTION });
      await victim.hear(victimLink, 'ACTION', token);
      await until('the attacker hears it too', () => link.heard.some(({ topic }) => topic === victim.topic));
      await link.publish(victim.topic, WILL);
      await until('the victim hears it', () => hears(victimLink, WILL));
    });

    test('without the rule for wills, the broker publishes on the topic of another device', async () => {
      const victimLink = await victim.join();
      const will = {
        topic: victim.topic,
        payload: Buffer.from('another last will'),
        qos: 1,
        retain: false,
      } as const;
      const link = await rogue.connect({ will });
      await link.cut();
      await until('the victim hears it', () => hears(victimLink, will.payload));
    });

    test('without the rule for retained messages, later clients receive them', async () => {
      const { bytes } = await rogue.write('DATA', { dataId: 'level', data: encodeText('2') });
      await (await rogue.connect()).publish(rogue.topic, bytes, { retain: true });
      const link = await rogue.connect();
      await link.subscribe(rogue.topic);
      await until('it is there', () => link.heard.some(({ retained }) => retained));
    });

    test('without the rule for client ids, a stranger disconnects the victim', async () => {
      const victimLink = await victim.connect();
      const link = await connect(arena, rogue.tls, { clientId: mqttClientId(victim.id) });
      expect(link).not.toBeTypeOf('string');
      await until('the victim is thrown out', () => victimLink.ended() !== undefined);
    });
  });
});

function hears(link: Link, bytes: Uint8Array): boolean {
  return link.heard.some((heard) => toHex(heard.bytes) === toHex(bytes));
}
