/** Threat 23: a revoked identity stays in use: by queued messages, messages in flight, or a new connection (P 8.3). */
import { expect } from 'vitest';
import { generateKeys } from '@srup/node';
import { encodeText, mqttClientId } from '@srup/protocol';
import { onEachBroker, test } from '../support/fixtures.ts';
import { TYPE } from '../support/device.ts';
import { until } from '../support/wait.ts';
import { openArena, type Arena } from './support/arena.ts';
import { bodyOf, connect, enrolAttacker, type Attacker, type Link } from './support/attacker.ts';
import { callKeyService } from './support/key-service.ts';

const ACTION = 1;

onEachBroker('a revoked identity', (broker) => {
  const revoke = (arena: Arena, { text }: Attacker): Promise<unknown> =>
    arena.api.send('POST', `/devices/${text}/revoke`);
  const comeAgain = (arena: Arena, { id, tls }: Attacker): Promise<Link | string> =>
    connect(arena, tls, { clientId: mqttClientId(id), clean: false });

  test('has ended: its session, its certificate, messages that wait for it, and messages that it sends', async ({
    ground,
  }) => {
    const arena = await openArena(ground, broker);
    const [victim, other] = [await enrolAttacker(arena), await enrolAttacker(arena)];
    const [link, otherLink] = [await victim.join(), await other.join()];
    const queued = await arena.command(victim.text, { kind: 'action', actionId: ACTION });
    await victim.hear(link, 'ACTION', queued);
    const late = await victim.write('DATA', { dataId: 'level', data: encodeText('late') });
    await revoke(arena, victim);

    await link.publish(late.topic, late.bytes); // in flight, or already on a dead connection
    await until('its session has ended', () => link.ended() !== undefined);
    await until('it is refused', async () => {
      const again = await comeAgain(arena, victim);
      if (typeof again === 'string') return true;
      await again.close();
      return false;
    });
    expect(await arena.data(victim.text, 'level')).toEqual([]);
    expect(await arena.device(victim.text)).toMatchObject({ standing: 'deregistered' });
    expect((await arena.exchange(victim.text, queued)).phase).not.toBe('done');

    // The id is not given again, not even to its owner; others are served as before.
    const { signing, sealing } = await generateKeys('ed25519');
    const { status } = await callKeyService(arena, 'register', {
      identity: victim.text,
      key: bodyOf(signing.publicPem),
      type: TYPE,
      sealKey: bodyOf(sealing?.publicPem ?? ''),
    });
    expect(status).toBe(409);
    const token = await arena.command(other.text, { kind: 'action', actionId: ACTION });
    await other.hear(otherLink, 'ACTION', token);
  });

  test('sends nothing more by a last will, which the embedded broker accepts from nobody', async ({
    ground,
  }) => {
    const arena = await openArena(ground, broker);
    const [victim, other] = [await enrolAttacker(arena), await enrolAttacker(arena)];
    await (await victim.join()).close();
    const otherLink = await other.join();
    const testament = async (text: string): Promise<Link | string> => {
      const { topic, bytes } = await victim.write('DATA', { dataId: 'will', data: encodeText(text) });
      const will = { topic, payload: Buffer.from(bytes), qos: 1 as const, retain: false };
      return connect(arena, victim.tls, { clientId: mqttClientId(victim.id), will });
    };
    if (broker === 'embedded') {
      expect(await testament('first')).toMatch(/not authorized/i);
      return;
    }
    // Control: a will reaches the server, and is as good as any message while its author is.
    await ((await testament('first')) as Link).cut();
    await until('the will is executed', async () => (await arena.data(victim.text, 'will')).length === 1);

    const link = (await testament('second')) as Link;
    await revoke(arena, victim);
    await until('its session has ended', () => link.ended() !== undefined);
    // What came before this has been judged too.
    await other.say(otherLink, 'DATA', { dataId: 'level', data: encodeText('1') });
    await until('another is heard', async () => (await arena.data(other.text, 'level')).length === 1);
    expect(await arena.data(victim.text, 'will')).toHaveLength(1);
  });

  test('without list and question at the broker, it connects again and receives', async ({ ground }) => {
    const arena = await openArena(ground, broker, { unlisted: true });
    const victim = await enrolAttacker(arena);
    await victim.join();
    await revoke(arena, victim);
    const again = await comeAgain(arena, victim);
    expect(again).not.toBeTypeOf('string');
    expect(await (again as Link).subscribe(victim.topic)).toBe(true);
  });
});
