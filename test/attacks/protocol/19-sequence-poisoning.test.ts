/** Threat 19: a huge number in an unsigned message. P 4.6 stops it: the window moves only after the signature. */
import { beforeAll, describe, expect, test } from 'vitest';
import { MAX_U64 } from '@srup/protocol';
import {
  action,
  ALL_SUITES,
  createParty,
  DEVICE,
  deviceTopic,
  Receiver,
  send,
  SERVER,
  verdictsWithout,
  type Party,
} from './scene.ts';

const SEQUENCE_OFFSET = 2;

describe.each(ALL_SUITES)('%s', (suite) => {
  let server: Party;
  let receiver: Receiver;

  beforeAll(async () => {
    server = await createParty(SERVER, suite);
    receiver = new Receiver('device', DEVICE, [server]);
    receiver.take(await send(server, DEVICE, 1n, action()), deviceTopic(DEVICE));
  });

  test('forged numbers move nothing, and the genuine message that follows is accepted', async () => {
    const before = receiver.window(SERVER);
    const genuine = await send(server, DEVICE, 2n, action());
    for (const sequence of [3n, 100n, 1n << 32n, MAX_U64 >> 1n, MAX_U64]) {
      const forged = genuine.slice();
      new DataView(forged.buffer).setBigUint64(SEQUENCE_OFFSET, sequence, true);
      expect(receiver.verdict(forged, deviceTopic(DEVICE))).toBe('AUTH_SIGNATURE');
      expect(receiver.window(SERVER)).toEqual(before);
    }
    expect(receiver.verdict(genuine, deviceTopic(DEVICE))).toBe('accepted');
  });

  test('without the signature before it, the window follows the forged number and the genuine message is lost', async () => {
    const genuine = await send(server, DEVICE, 2n, action());
    const forged = genuine.slice();
    new DataView(forged.buffer).setBigUint64(SEQUENCE_OFFSET, 1n << 32n, true);
    const arrivals = [forged, genuine].map((bytes) => [bytes, deviceTopic(DEVICE)] as const);
    const verdicts = await verdictsWithout(['signature'], 'device', DEVICE, [server], arrivals);
    expect(verdicts).toEqual(['accepted', 'REPLAY_OLD']);
  });

  test('a genuine message that is not obeyed moves nothing either', async () => {
    const before = receiver.window(SERVER);
    const bytes = await send(server, DEVICE, 50n, action());
    receiver.forbidden = 'AUTH_SERVER';
    expect(receiver.verdict(bytes, deviceTopic(DEVICE))).toBe('AUTH_SERVER');
    expect(receiver.window(SERVER)).toEqual(before);
    receiver.forbidden = undefined;
    expect(receiver.verdict(bytes, deviceTopic(DEVICE))).toBe('accepted');
  });
});
