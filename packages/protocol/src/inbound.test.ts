import { describe, expect, test } from 'vitest';
import type { AuthCode, FaultCode } from './faults.ts';
import type { Identity } from './identity.ts';
import { receive, type Arrival } from './inbound.ts';
import { MAX_MESSAGE_BYTES } from './limits.ts';
import { encode } from './message/envelope.ts';
import type { MessageType, Role } from './message/layouts.ts';
import type { Message } from './message/message.ts';
import type { Receiver } from './security/admit.ts';
import { EMPTY_WINDOW, type ReplayWindow } from './security/replay.ts';
import { fakeKeys } from './testing/keys.ts';
import type { Topic } from './topics.ts';
import { encodeText } from './wire/text.ts';

const SERVER = 0xb9d077e223834cf6n;
const DEVICE = 0x27ab54d670b64be2n;
const SIBLING = 0x2cb80b263ad4a0fn;
const SERVER_KEYS = fakeKeys(1);
const OTHER_KEYS = fakeKeys(2);

/** A message on its way to a device, and what the device knows. As it is here, it is accepted. */
interface Scene {
  role: Role;
  self: Identity;
  type: MessageType;
  body: object;
  sender: Identity;
  sequence: bigint;
  keys: typeof SERVER_KEYS;
  damage: (bytes: Uint8Array) => Uint8Array;
  retained: boolean;
  topic: Topic;
  isKnown: boolean;
  forbidden: AuthCode | undefined;
  joinToken: string | undefined;
  sent: bigint;
  window: ReplayWindow;
}

function goodScene(): Scene {
  return {
    role: 'device',
    self: DEVICE,
    type: 'ACTION',
    body: { actionId: 1 },
    sender: SERVER,
    sequence: 5n,
    keys: SERVER_KEYS,
    damage: (bytes) => bytes,
    retained: false,
    topic: { kind: 'device', device: DEVICE },
    isKnown: true,
    forbidden: undefined,
    joinToken: undefined,
    sent: 0n,
    window: EMPTY_WINDOW,
  };
}

function arrivalOf({ type, body, sender, sequence, keys, damage, retained, topic }: Scene): Arrival {
  const message = { type, body, sender, sequence, token: encodeText('T') } as Message;
  const { signedBytes, assemble } = encode(message);
  return { bytes: damage(assemble(keys.sign.sign(signedBytes))), topic, retained };
}

function receiverOf({ role, self, isKnown, forbidden, joinToken, window, sent }: Scene): Receiver {
  const peer = { key: SERVER_KEYS.verify, window, sent, joinToken, forbids: () => forbidden };
  return { role, self, peer: () => (isKnown ? peer : undefined) };
}

function outcome(scene: Scene): string {
  const result = receive(arrivalOf(scene), receiverOf(scene));
  return result.ok ? 'accepted' : result.code;
}

function withByte(at: number, value: number): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => bytes.map((byte, index) => (index === at ? value : byte));
}

/** One way to fail at each step, in the order of P 4.6. Each is a change to the good scene. */
const STEPS: readonly (readonly [FaultCode, (scene: Scene) => Partial<Scene>])[] = [
  ['AUTH_RETAINED', () => ({ retained: true })],
  ['WIRE_TOO_LONG', ({ damage }) => ({ damage: (bytes) => padded(damage(bytes), MAX_MESSAGE_BYTES + 1) })],
  ['WIRE_EDITION', ({ damage }) => ({ damage: (bytes) => withByte(0, 4)(damage(bytes)) })],
  ['WIRE_TYPE', ({ damage }) => ({ damage: (bytes) => withByte(1, 0x7f)(damage(bytes)) })],
  ['WIRE_TRAILING', () => ({ damage: (bytes) => padded(bytes, bytes.length + 1) })],
  ['AUTH_OWN', () => ({ sender: DEVICE })],
  ['AUTH_DORMANT', () => ({ type: 'GROUP_DESTROY', body: { groupId: 'g' } })],
  ['AUTH_DIRECTION', () => ({ type: 'RESIGN_REQUEST', body: {} })],
  ['AUTH_SENDER', () => ({ isKnown: false })],
  ['AUTH_TOPIC', () => ({ topic: { kind: 'device', device: SIBLING } })],
  ['AUTH_SIGNATURE', () => ({ keys: OTHER_KEYS })],
  ['AUTH_SERVER', () => ({ forbidden: 'AUTH_SERVER' })],
  ['REPLAY_SEEN', () => ({ window: { highest: 5n, seen: 1n } })],
];

function padded(bytes: Uint8Array, length: number): Uint8Array {
  const longer = new Uint8Array(Math.max(length, bytes.length));
  longer.set(bytes);
  return longer;
}

/** The good scene with the faults of these steps, the last one first, so that an earlier one has the last word. */
function sceneFailing(...steps: readonly number[]): Scene {
  let scene = goodScene();
  for (const step of [...steps].sort((a, b) => b - a)) scene = { ...scene, ...STEPS[step]![1](scene) };
  return scene;
}

test('control: the good scene is accepted', () => {
  expect(outcome(goodScene())).toBe('accepted');
});

describe.each(STEPS.map(([code], step) => ({ code, step })))(
  'step $step of P 4.6, $code',
  ({ code, step }) => {
    test('refuses by itself', () => {
      expect(outcome(sceneFailing(step))).toBe(code);
    });

    test('comes before every later step', () => {
      for (let later = step + 1; later < STEPS.length; later++) {
        expect([STEPS[later]![0], outcome(sceneFailing(step, later))]).toEqual([STEPS[later]![0], code]);
      }
    });
  },
);

test('with every fault at once, the first step speaks', () => {
  expect(outcome(sceneFailing(...STEPS.keys()))).toBe('AUTH_RETAINED');
});

test('neither key nor window nor standing of a peer is asked for before the free checks passed', () => {
  for (const step of [0, 1, 2, 3, 4, 5, 6, 7]) {
    const scene = sceneFailing(step);
    const receiver: Receiver = {
      ...receiverOf(scene),
      peer: () => {
        throw new Error('asked too early');
      },
    };
    expect(receive(arrivalOf(scene), receiver).ok).toBe(false);
  }
});

test('what is accepted carries the window to store, the header and the bytes that arrived (P 5.3)', () => {
  const arrival = arrivalOf(goodScene());
  const result = receive(arrival, receiverOf(goodScene()));
  if (!result.ok) throw new Error(result.code);
  expect(result.value.window).toEqual({ highest: 5n, seen: 0b100001n });
  expect(result.value.bytes).toBe(arrival.bytes);
  expect(result.value.header).toEqual(arrival.bytes.subarray(0, 21));
  expect(result.value.is('ACTION') && result.value.message.body.actionId).toBe(1);
  expect(result.value.is('ACTIVATE')).toBe(false);
});

describe('right topic (P 7.2, 7.4)', () => {
  const deviceTopic = (device: Identity): Topic => ({ kind: 'device', device });
  const joinTopic = (server: Identity, device: Identity): Topic => ({ kind: 'join', server, device });
  const toServer = (type: MessageType, topic: Topic): Scene => ({
    ...goodScene(),
    role: 'server',
    self: SERVER,
    sender: DEVICE,
    type,
    body: type === 'DATA' ? { dataId: 'd', data: new Uint8Array(0) } : {},
    topic,
  });

  test.each([
    ['a report on its own topic', 'DATA', deviceTopic(DEVICE), 'accepted'],
    ["a report on a sibling's topic", 'DATA', deviceTopic(SIBLING), 'AUTH_TOPIC'],
    ['a report on the join topic', 'DATA', joinTopic(SERVER, DEVICE), 'AUTH_TOPIC'],
    ['a join on the join topic', 'JOIN_REQ', joinTopic(SERVER, DEVICE), 'accepted'],
    ['a join on its own topic', 'JOIN_REQ', deviceTopic(DEVICE), 'AUTH_TOPIC'],
    ["a join on a sibling's join topic", 'JOIN_REQ', joinTopic(SERVER, SIBLING), 'AUTH_TOPIC'],
    ["a join on another server's topic", 'JOIN_REQ', joinTopic(SIBLING, DEVICE), 'AUTH_TOPIC'],
  ] as const)('to a server: %s', (_what, type, topic, code) => {
    expect(outcome(toServer(type, topic))).toBe(code);
  });

  test.each([
    ["on the device's topic", deviceTopic(DEVICE), 'accepted'],
    ["on another device's topic", deviceTopic(SIBLING), 'AUTH_TOPIC'],
    ['on a join topic', joinTopic(SERVER, DEVICE), 'AUTH_TOPIC'],
  ] as const)('to a device: %s', (_what, topic, code) => {
    expect(outcome({ ...goodScene(), topic })).toBe(code);
  });
});

describe('the jump of numbers (P 5.2)', () => {
  const far = 1n << 40n;

  test('needs a join: an open one, or a message that asks for one', () => {
    expect(outcome({ ...goodScene(), sequence: far })).toBe('REPLAY_JUMP');
    const answer = { type: 'RESPONSE', body: { status: 0x50 } } as const;
    expect(outcome({ ...goodScene(), ...answer, sequence: far, joinToken: 'T' })).toBe('accepted');
    expect(outcome({ ...goodScene(), ...answer, sequence: far })).toBe('REPLAY_JUMP');
    expect(outcome({ ...goodScene(), ...answer, sequence: far, joinToken: 'another' })).toBe('REPLAY_JUMP');
    // A command that was captured on its way to a sibling is no answer to our join.
    expect(outcome({ ...goodScene(), sequence: far, joinToken: 'T' })).toBe('REPLAY_JUMP');
    const asking: Partial<Scene> = {
      role: 'server',
      self: SERVER,
      sender: DEVICE,
      type: 'HM_JOIN_REQ',
      body: {},
      topic: { kind: 'join', server: SERVER, device: DEVICE },
    };
    expect(outcome({ ...goodScene(), ...asking, sequence: far })).toBe('accepted');
  });
});
