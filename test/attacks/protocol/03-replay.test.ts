/** Threat 3: every captured message is sent again. P 5 stops it, and the rule of the topic, P 7.4. */
import { beforeAll, describe, expect, test } from 'vitest';
import { counterStart, nextSequence, tokenKey, type Draft } from '@srup/protocol';
import {
  action,
  createParty,
  DEVICE,
  deviceTopic,
  joinTopic,
  newToken,
  Receiver,
  report,
  send,
  SERVER,
  verdictsWithout,
  type Party,
} from './scene.ts';

const SIBLING = 0x2cb80b263ad4a0fn;
const OTHER_SERVER = 0xc0ffee0123456789n;

let server: Party;
let otherServer: Party;
let device: Party;

beforeAll(async () => {
  server = await createParty(SERVER, 'ed25519');
  otherServer = await createParty(OTHER_SERVER, 'ed25519');
  device = await createParty(DEVICE, 'ed25519');
});

/** One message of each kind that a server sends, numbered from 1. */
async function session(): Promise<Uint8Array[]> {
  const digest = 'ab'.repeat(32);
  const drafts: Draft[] = [
    { type: 'INITIATE', token: newToken(), body: { url: 'https://updates.example/1', digest } },
    { type: 'ACTIVATE', token: newToken(), body: {} },
    action(),
    report(),
    { type: 'ID_REQUEST', token: newToken(), body: {} },
    { type: 'RESPONSE', token: newToken(), body: { status: 0x50 } },
    { type: 'TERMINATE_CMD', token: newToken(), body: {} },
    { type: 'DEREGISTER_CMD', token: newToken(), body: {} },
  ];
  return Promise.all(drafts.map((draft, at) => send(server, DEVICE, BigInt(at + 1), draft)));
}

describe('in the same session', () => {
  test('nothing is accepted twice, in whatever order and however often it comes', async () => {
    const captured = await session();
    const receiver = new Receiver('device', DEVICE, [server]);
    for (const bytes of captured) expect(receiver.verdict(bytes, deviceTopic(DEVICE))).toBe('accepted');
    const again = [...captured, ...captured.toReversed(), ...captured];
    for (const bytes of again) expect(receiver.verdict(bytes, deviceTopic(DEVICE))).toBe('REPLAY_SEEN');
  });

  test('without the window, all of it is accepted again', async () => {
    const captured = await session();
    const twice = [...captured, ...captured].map((bytes) => [bytes, deviceTopic(DEVICE)] as const);
    const verdicts = await verdictsWithout(['replayWindow'], 'device', DEVICE, [server], twice);
    expect(verdicts).toEqual(twice.map(() => 'accepted'));
  });

  test('what is older than the window is refused as well', async () => {
    const captured = await session();
    const receiver = new Receiver('device', DEVICE, [server]);
    receiver.take(await send(server, DEVICE, 1000n, action()), deviceTopic(DEVICE));
    for (const bytes of captured) expect(receiver.verdict(bytes, deviceTopic(DEVICE))).toBe('REPLAY_OLD');
  });

  test("a device's reports to the server: the same", async () => {
    const bytes = await send(device, SERVER, 1n, report());
    const receiver = new Receiver('server', SERVER, [device]);
    expect(receiver.verdict(bytes, deviceTopic(DEVICE))).toBe('accepted');
    expect(receiver.verdict(bytes, deviceTopic(DEVICE))).toBe('REPLAY_SEEN');
  });

  test('a join request, whose number may jump, still counts once', async () => {
    const join: Draft = { type: 'JOIN_REQ', token: newToken(), body: {} };
    const bytes = await send(device, SERVER, 1n << 50n, join);
    const receiver = new Receiver('server', SERVER, [device]);
    expect(receiver.verdict(bytes, joinTopic(SERVER, DEVICE))).toBe('accepted');
    expect(receiver.verdict(bytes, joinTopic(SERVER, DEVICE))).toBe('REPLAY_SEEN');
  });
});

describe('after a reboot', () => {
  test('the stored window refuses what came before it, and takes what comes next', async () => {
    const captured = await session();
    const before = new Receiver('device', DEVICE, [server]);
    for (const bytes of captured) before.take(bytes, deviceTopic(DEVICE));
    const after = Receiver.restart(before, before.save());
    for (const bytes of captured) expect(after.verdict(bytes, deviceTopic(DEVICE))).toBe('REPLAY_SEEN');
    const next = await send(server, DEVICE, BigInt(captured.length + 1), action());
    expect(after.verdict(next, deviceTopic(DEVICE))).toBe('accepted');
  });

  test('a late message that the reboot overtook is still taken, once', async () => {
    const [first, second] = await session();
    const before = new Receiver('device', DEVICE, [server]);
    before.take(second!, deviceTopic(DEVICE));
    const after = Receiver.restart(before, before.save());
    expect(after.verdict(first!, deviceTopic(DEVICE))).toBe('accepted');
    expect(after.verdict(first!, deviceTopic(DEVICE))).toBe('REPLAY_SEEN');
  });
});

describe('to a sibling', () => {
  test("on the device's topic, which is not the sibling's", async () => {
    const bytes = await send(server, DEVICE, 9n, action());
    const sibling = new Receiver('device', SIBLING, [server]);
    expect(sibling.verdict(bytes, deviceTopic(DEVICE))).toBe('AUTH_TOPIC');
  });

  test("on the sibling's own topic, with a number that it has had", async () => {
    const sibling = new Receiver('device', SIBLING, [server]);
    for (const sequence of [5n, 9n]) {
      sibling.take(await send(server, SIBLING, sequence, action()), deviceTopic(SIBLING));
    }
    expect(sibling.verdict(await send(server, DEVICE, 9n, action()), deviceTopic(SIBLING))).toBe(
      'REPLAY_SEEN',
    );
  });

  test("a device's report as if a sibling had made it", async () => {
    const bytes = await send(device, SERVER, 9n, report());
    const sibling = await createParty(SIBLING, 'ed25519');
    const receiver = new Receiver('server', SERVER, [device, sibling]);
    expect(receiver.verdict(bytes, deviceTopic(SIBLING))).toBe('AUTH_TOPIC');
    expect(receiver.verdict(bytes, deviceTopic(DEVICE))).toBe('accepted');
  });

  /**
   * Edition 5 does not sign the receiver. Whoever controls the broker can put a server's message on the topic of another
   * of its devices, where only the number is in the way. So a server starts to count at a random number for each device.
   */
  test('by the broker itself: the counters of two devices are too far apart', async () => {
    const start = (fill: number): bigint => counterStart(new Uint8Array(8).fill(fill));
    for (const [mine, theirs] of [
      [start(0x11), start(0x22)],
      [start(0x22), start(0x11)],
    ] as const) {
      const sibling = new Receiver('device', SIBLING, [server]);
      const token = newToken();
      sibling.joinToken = tokenKey(token);
      const answer: Draft = { type: 'RESPONSE', token, body: { status: 0x50 } };
      expect(
        sibling.verdict(
          await send(server, SIBLING, nextSequence({ sent: mine, highest: 1n }), answer),
          deviceTopic(SIBLING),
        ),
      ).toBe('accepted');
      sibling.joinToken = undefined;
      for (let ahead = 0n; ahead < 50n; ahead += 10n) {
        const captured = await send(server, DEVICE, theirs + ahead, action());
        const verdict = sibling.verdict(captured, deviceTopic(SIBLING));
        expect(verdict).toBe(theirs > mine ? 'REPLAY_JUMP' : 'REPLAY_OLD');
      }
    }
  });

  test('without counters that begin at random, the same replay works', async () => {
    const sibling = new Receiver('device', SIBLING, [server]);
    sibling.take(await send(server, SIBLING, 8n, action()), deviceTopic(SIBLING));
    expect(sibling.verdict(await send(server, DEVICE, 9n, action()), deviceTopic(SIBLING))).toBe('accepted');
  });

  test('while the sibling is joining, what was captured is still no first word: it would move its window', async () => {
    const drafts: Draft[] = [
      { type: 'TERMINATE_CMD', token: newToken(), body: {} },
      { type: 'DEREGISTER_CMD', token: newToken(), body: {} },
      { type: 'JOIN_CMD', token: newToken(), body: { deviceId: DEVICE } },
      { type: 'RESPONSE', token: newToken(), body: { status: 0x50 } },
    ];
    for (const draft of drafts) {
      const sibling = new Receiver('device', SIBLING, [server]);
      sibling.joinToken = tokenKey(newToken());
      const captured = await send(server, DEVICE, counterStart(new Uint8Array(8).fill(9)), draft);
      expect(sibling.verdict(captured, deviceTopic(SIBLING))).toBe('REPLAY_JUMP');
    }
  });
});

describe('through another server', () => {
  test('that relays it unchanged: it keeps its number', async () => {
    const bytes = await send(server, DEVICE, 9n, action());
    const receiver = new Receiver('device', DEVICE, [server, otherServer]);
    expect(receiver.verdict(bytes, deviceTopic(DEVICE))).toBe('accepted');
    expect(receiver.verdict(bytes, deviceTopic(DEVICE))).toBe('REPLAY_SEEN');
  });

  test('to a device that does not know the server which signed it', async () => {
    const bytes = await send(server, DEVICE, 9n, action());
    const receiver = new Receiver('device', DEVICE, [otherServer]);
    expect(receiver.verdict(bytes, deviceTopic(DEVICE))).toBe('AUTH_SENDER');
  });

  test('that puts its own id on it: the signature no longer holds', async () => {
    const bytes = await send(server, DEVICE, 9n, action());
    new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(10, OTHER_SERVER, true);
    const receiver = new Receiver('device', DEVICE, [server, otherServer]);
    expect(receiver.verdict(bytes, deviceTopic(DEVICE))).toBe('AUTH_SIGNATURE');
  });

  test('a join request goes to the server of its topic only', async () => {
    const bytes = await send(device, SERVER, 1n, { type: 'JOIN_REQ', token: newToken(), body: {} });
    const receiver = new Receiver('server', OTHER_SERVER, [device]);
    expect(receiver.verdict(bytes, joinTopic(SERVER, DEVICE))).toBe('AUTH_TOPIC');
  });
});
