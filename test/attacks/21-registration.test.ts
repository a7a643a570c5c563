/** Threat 21: an attacker claims the id of another device, at the key service and with its certificates (P 8.3 to 8.5). */
import { beforeEach, expect } from 'vitest';
import { generateKeys, newIdentity, proveText, systemRandom, type KeySet } from '@srup/node';
import { identityText, joinTopic, mqttClientId, parseIdentity, type Identity } from '@srup/protocol';
import { makeCsr, makeTlsKey } from '../../packages/agent/src/identity/csr.ts';
import { onEachBroker } from '../support/fixtures.ts';
import { TYPE } from '../support/device.ts';
import type { Arena } from './support/arena.ts';
import { test } from './support/fixtures.ts';
import { bodyOf, connect, enrolAttacker, makeAttacker, type Attacker } from './support/attacker.ts';
import { askKeyService, callKeyService, type Reply } from './support/key-service.ts';

onEachBroker('registration', (broker) => {
  let arena: Arena;
  let victim: Attacker;
  let rogue: Attacker;

  test.beforeAll(async ({ openArena }) => {
    arena = await openArena(broker, { lawless: true });
  });

  beforeEach(async () => {
    await arena.lacking();
    [victim, rogue] = await Promise.all([enrolAttacker(arena), enrolAttacker(arena)]);
  });

  function register(identity: string, { signing, sealing }: KeySet): Promise<Reply> {
    const sealKey = sealing && bodyOf(sealing.publicPem);
    return callKeyService(arena, 'register', {
      identity,
      key: bodyOf(signing.publicPem),
      type: TYPE,
      sealKey,
    });
  }

  const validate = (identity: string, { signing }: KeySet): Promise<Reply> =>
    callKeyService(arena, 'validate', { identity, signature: proveText(signing.privatePem, identity) });

  /** Asks for a certificate for `identity`, with a request in the name of `name`. */
  async function certify(identity: string, name: string, { signing }: KeySet) {
    const tlsKey = await makeTlsKey();
    const csr = makeCsr(name, tlsKey);
    const reply = await callKeyService(arena, 'access', {
      identity,
      csr: Buffer.from(csr).toString('base64'),
      signature: proveText(signing.privatePem, csr),
    });
    const cert = Buffer.from(reply.body['certificate'] ?? '', 'base64').toString();
    return { reply, tls: { cert, key: tlsKey.reveal() } };
  }

  const keyOf = (identity: string): Promise<string> => askKeyService(arena, `get_key/${identity}`);

  test('an id that is taken stays with its owner', async () => {
    const before = await keyOf(victim.text);
    expect(await register(victim.text, rogue.keys)).toMatchObject({ status: 409 });
    expect(await keyOf(victim.text)).toBe(before);
    expect(await validate(victim.text, rogue.keys)).toMatchObject({ status: 401 });
    await victim.join();
  });

  test('of many devices that race for an id one wins, and the others can not use it', async () => {
    const identity = identityText(newIdentity(systemRandom));
    const racers = await Promise.all(Array.from({ length: 8 }, () => generateKeys('ed25519')));
    const replies = await Promise.all(racers.map((keys) => register(identity, keys)));
    const statuses = replies.map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([201, ...Array.from({ length: 7 }, () => 409)]);
    for (const [index, keys] of racers.entries()) {
      const won = statuses[index] === 201;
      expect(await validate(identity, keys)).toMatchObject({ status: won ? 200 : 401 });
    }
  });

  test('a certificate is for the id whose key asks for it', async () => {
    // Another name in the request; another id than the key's own.
    expect((await certify(rogue.text, victim.text, rogue.keys)).reply).toMatchObject({ status: 400 });
    expect((await certify(victim.text, victim.text, rogue.keys)).reply).toMatchObject({ status: 401 });
  });

  test('names with a meaning for a broker or a file system are not ids', async () => {
    for (const identity of ['+', '#', '$SYS', 'a/b', '../x', 'a\0', '', '0', 'A1', '1'.repeat(17)]) {
      expect([identity, (await register(identity, rogue.keys)).status]).toEqual([identity, 400]);
    }
  });

  test('half a registration gives nothing: no certificate, no connection, no join', async () => {
    const id = newIdentity(systemRandom);
    const identity = identityText(id);
    const keys = await generateKeys('ed25519');
    expect(await register(identity, keys)).toMatchObject({ status: 201 });
    expect((await certify(identity, identity, keys)).reply).toMatchObject({ status: 409 });
    const nobody = await connect(arena, undefined, { ca: arena.ca, clientId: mqttClientId(id) });
    expect(nobody).toBeTypeOf('string');
    // Through somebody else's connection.
    const half = makeAttacker(arena, id, keys, rogue.tls);
    const { bytes } = await half.write('JOIN_REQ', {});
    const link = await rogue.join();
    const before = await arena.refusals();
    await link.publish(joinTopic(parseIdentity(arena.serverId) as Identity, id), bytes);
    await arena.refused(before, { AUTH_SENDER: 1 });
  });

  test("without the proof by the id's key, another one gets its certificate and takes its place", async () => {
    await arena.lacking('certificateProof');
    const { tls } = await certify(victim.text, victim.text, rogue.keys);
    const link = await makeAttacker(arena, victim.id, rogue.keys, tls).connect();
    expect(await link.subscribe(victim.topic)).toBe(true);
  });

  test('without the search for its owner, an id is given away again', async () => {
    await arena.lacking('takenIdentity', 'takenRow');
    expect(await register(victim.text, rogue.keys)).toMatchObject({ status: 201 });
    expect(await keyOf(victim.text)).not.toBe(bodyOf(victim.keys.signing.publicPem));
    expect(await validate(victim.text, rogue.keys)).toMatchObject({ status: 200 });
  });
});
