import { describe, expect, test } from 'vitest';
import type { AuthCode, FaultCode, Result } from './faults.ts';
import type { Identity } from './identity.ts';
import { receive, receiveAside, screen, type Arrival } from './inbound.ts';
import { MAX_MESSAGE_BYTES } from './limits.ts';
import { fromJsonForm, toJsonForm } from './inspect/json-form.ts';
import { decode, encode } from './message/envelope.ts';
import type { MessageType, Role } from './message/layouts.ts';
import type { Message } from './message/message.ts';
import { EMPTY_WINDOW, type Peer, type ReplayWindow } from './trust/peer.ts';
import { fakeKeys } from './testing/keys.ts';
import { topicName, type Topic } from './topics.ts';
import type { Fresh } from './trust/replay.ts';
import { screenDecoded } from './trust/screen.ts';
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
  return { bytes: damage(assemble(keys.sign.sign(signedBytes))), topic: topicName(topic), retained };
}

function peerOf({ sender, isKnown, forbidden, joinToken, window, sent }: Scene): Peer | undefined {
  const peer = { id: sender, key: SERVER_KEYS.verify, window, sent, joinToken, forbids: () => forbidden };
  return isKnown ? peer : undefined;
}

function judge(arrival: Arrival, scene: Scene): Result<Fresh> {
  const screened = screen(arrival, scene);
  return screened.ok ? receive(screened.value, peerOf(scene)) : screened;
}

function outcome(scene: Scene): string {
  const result = judge(arrivalOf(scene), scene);
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

test('nothing of a peer is needed to refuse what the free checks refuse, an echo of our own among it', () => {
  for (const step of [0, 1, 2, 3, 4, 5, 6, 7]) {
    const scene = sceneFailing(step);
    expect(screen(arrivalOf(scene), scene)).toMatchObject({ ok: false, code: STEPS[step]![0] });
  }
});

test('a refusal before the look-up says what the message claims, once it could be read', () => {
  const claims = STEPS.slice(0, 8).map((_, step) => {
    const screened = screen(arrivalOf(sceneFailing(step)), goodScene());
    return screened.ok ? 'screened' : screened.claim;
  });
  const sender = SERVER;
  expect(claims).toEqual([
    ...[undefined, undefined, undefined, undefined, undefined],
    { sender: DEVICE, type: 'ACTION' },
    { sender, type: 'GROUP_DESTROY' },
    { sender, type: 'RESIGN_REQUEST' },
  ]);
});

test('a message in another form enters behind the bytes, and is judged alike (P 11.1)', () => {
  for (const [step, [code]] of [...STEPS.entries()].slice(5)) {
    const scene = sceneFailing(step);
    const decoded = decode(arrivalOf(scene).bytes);
    if (!decoded.ok) throw new Error(decoded.code);
    const form: unknown = JSON.parse(JSON.stringify(toJsonForm(decoded.value)));
    const rebuilt = fromJsonForm(form);
    if (!rebuilt.ok) throw new Error(rebuilt.code);
    const screened = screenDecoded(rebuilt.value, scene.topic, scene);
    const result = screened.ok ? receive(screened.value, peerOf(scene)) : screened;
    expect(result).toMatchObject({ ok: false, code });
  }
});

test('what is known of one sender never judges the message of another', () => {
  // The key of the peer holds for these bytes, so only its id tells it from the sender.
  const scene = goodScene();
  const screened = screen(arrivalOf(scene), scene);
  if (!screened.ok) throw new Error(screened.code);
  const other = { ...peerOf(scene)!, id: SIBLING };
  expect(() => receive(screened.value, other)).toThrow(TypeError);
  expect(receive(screened.value, peerOf(scene)).ok).toBe(true); // control
});

test('what is verified aside is judged alike, and in the same order', async () => {
  const scenes = [goodScene(), ...STEPS.flatMap((_, a) => STEPS.map((__, b) => sceneFailing(a, b)))];
  let judged = 0;
  for (const scene of scenes) {
    const screened = screen(arrivalOf(scene), scene);
    if (!screened.ok) continue;
    judged++;
    const peer = peerOf(scene);
    expect(await receiveAside(screened.value, peer)).toEqual(receive(screened.value, peer));
  }
  expect(judged).toBeGreaterThan(20);
});

test('a signature of an odd length does not reach the cryptography aside either', async () => {
  const scene = goodScene();
  const { signedBytes, assemble } = encode({
    ...{ type: 'ACTION', body: { actionId: 1 }, sender: SERVER, sequence: 5n, token: encodeText('T') },
  });
  const judged = async (signature: Uint8Array) => {
    const asked: Uint8Array[] = [];
    const verifyAside = async (_data: Uint8Array, given: Uint8Array) => asked.push(given) > 0;
    const bytes = assemble(signature);
    const screened = screen({ bytes, topic: topicName(scene.topic), retained: false }, scene);
    if (!screened.ok) throw new Error(screened.code);
    const key = { ...SERVER_KEYS.verify, verifyAside };
    const { ok } = await receiveAside(screened.value, { ...peerOf(scene)!, key });
    return { ok, asked: asked.length };
  };
  expect(await judged(SERVER_KEYS.sign.sign(signedBytes))).toEqual({ ok: true, asked: 1 });
  for (const length of [0, 63, 65])
    expect(await judged(new Uint8Array(length))).toEqual({ ok: false, asked: 0 });
});

/** The faults that a message can have at either end, in the order in which they are judged (P 4.6). */
const FAULTS = [
  'AUTH_TOPIC form',
  'AUTH_RETAINED',
  'WIRE_TRAILING',
  'AUTH_OWN',
  'AUTH_DORMANT',
  'AUTH_DIRECTION',
  'AUTH_SENDER',
  'AUTH_TOPIC',
  'AUTH_SIGNATURE',
  'AUTH_STATE',
  'REPLAY_SEEN',
] as const;

describe.each(['device', 'server'] as const)('to a %s', (role) => {
  const self = role === 'device' ? DEVICE : SERVER;
  const sender = role === 'device' ? SERVER : DEVICE;

  function outcomeOf(faults: ReadonlySet<string>): string {
    const has = (fault: (typeof FAULTS)[number]) => faults.has(fault);
    const foreign = role === 'device' ? 'RESIGN_REQUEST' : 'ID_REQUEST';
    const type = has('AUTH_DORMANT') ? 'GROUP_DESTROY' : has('AUTH_DIRECTION') ? foreign : 'DATA';
    const data = { dataId: 'd', data: new Uint8Array(3) };
    const scene: Scene = {
      ...goodScene(),
      ...{ role, self, type, sender: has('AUTH_OWN') ? self : sender },
      body: type === 'DATA' ? data : type === 'GROUP_DESTROY' ? { groupId: 'g' } : {},
      keys: has('AUTH_SIGNATURE') ? OTHER_KEYS : SERVER_KEYS,
      damage: (bytes) => (has('WIRE_TRAILING') ? padded(bytes, bytes.length + 1) : bytes),
      retained: has('AUTH_RETAINED'),
      topic: { kind: 'device', device: has('AUTH_TOPIC') ? SIBLING : DEVICE },
      isKnown: !has('AUTH_SENDER'),
      forbidden: has('AUTH_STATE') ? 'AUTH_STATE' : undefined,
      window: has('REPLAY_SEEN') ? { highest: 5n, seen: 1n } : EMPTY_WINDOW,
    };
    const arrival = arrivalOf(scene);
    const result = judge(has('AUTH_TOPIC form') ? { ...arrival, topic: 'SRUP/+' } : arrival, scene);
    return result.ok ? 'accepted' : result.code;
  }

  test(`of any set of faults the first one in the order of P 4.6 is the refusal (${2 ** FAULTS.length} sets)`, () => {
    for (let set = 0; set < 2 ** FAULTS.length; set++) {
      const faults = FAULTS.filter((_, at) => (set & (1 << at)) !== 0);
      const expected = faults[0]?.split(' ')[0] ?? 'accepted';
      const found = outcomeOf(new Set(faults));
      if (found !== expected) expect([faults, found]).toEqual([faults, expected]);
    }
  });
});

test('what is accepted carries the window to store, the header and the bytes that arrived (P 5.3)', () => {
  const arrival = arrivalOf(goodScene());
  const result = judge(arrival, goodScene());
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
