/** An attacker who reads and writes on the network, and holds every key except those of the two ends. */
import type { Identity } from '../identity.ts';
import type { Arrival } from '../inbound.ts';
import { decode, encode } from '../message/envelope.ts';
import type { Message } from '../message/message.ts';
import type { Draft } from '../outbound.ts';
import { topicFromDevice } from '../topics.ts';
import { MAX_U64 } from '../limits.ts';
import { encodeText } from '../wire/text.ts';
import { fakeKeys } from './keys.ts';
import type { SeededRandom } from './random.ts';

/** Every token that the attacker makes begins so. No state may ever contain one. */
export const EVIL = 'evil-';

export interface Captured {
  readonly arrival: Arrival;
  readonly to: 'device' | 'server';
}

export interface Attack {
  readonly arrival: Arrival;
  readonly to: 'device' | 'server';
  /** It must be refused. A replay is not forged: it can be the first copy that arrives. */
  readonly forged: boolean;
}

export interface Ids {
  readonly device: Identity;
  readonly server: Identity;
  /** Another device of the same server. */
  readonly sibling: Identity;
}

const SIBLING_SECRET = 3;
const STRANGER_SECRET = 4;
export const siblingKeys = fakeKeys(SIBLING_SECRET);
const strangerKeys = fakeKeys(STRANGER_SECRET);

export function attack(random: SeededRandom, captured: readonly Captured[], ids: Ids): Attack {
  const seen = captured.length > 0 ? random.pick(captured) : undefined;
  const withSeen = [replay, tamper, reflect, retain] as const;
  if (seen !== undefined && random.chance(0.6)) return random.pick(withSeen)(random, seen);
  return forge(random, seen, ids);
}

function replay(_random: SeededRandom, { arrival, to }: Captured): Attack {
  return { arrival, to, forged: false };
}

/** A genuine message with one bit changed. */
function tamper(random: SeededRandom, { arrival, to }: Captured): Attack {
  const bytes = arrival.bytes.slice();
  const at = random.below(bytes.length);
  bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
  return { arrival: { ...arrival, bytes }, to, forged: true };
}

/** A genuine message sent back to its sender. */
function reflect(_random: SeededRandom, { arrival, to }: Captured): Attack {
  return { arrival, to: to === 'device' ? 'server' : 'device', forged: true };
}

function retain(_random: SeededRandom, { arrival, to }: Captured): Attack {
  return { arrival: { ...arrival, retained: true }, to, forged: true };
}

/** A message that the attacker makes: unsigned, badly signed, or signed by somebody else. */
function forge(random: SeededRandom, seen: Captured | undefined, ids: Ids): Attack {
  const to = random.pick(['device', 'server'] as const);
  const token = seen !== undefined && random.chance(0.5) ? tokenOf(seen) : evilToken(random);
  const draft = random.pick(to === 'device' ? toDevice(token, random, ids) : toServer(token, random));
  const asSibling = random.chance(0.3);
  const claimed = to === 'device' ? ids.server : ids.device;
  const sequence = random.pick([1n, 2n, BigInt(random.below(200) + 1), 1n << 40n, MAX_U64]);
  const message = { ...draft, sequence, sender: asSibling ? ids.sibling : claimed } as Message;
  const encoded = encode(message);
  const key = asSibling ? siblingKeys.sign : strangerKeys.sign;
  const signature = random.pick([
    new Uint8Array(0),
    random.bytes(64),
    key.sign(encoded.signedBytes),
    key.sign(encoded.signedBytes),
  ]);
  const topic = topicFromDevice(draft.type, ids.server, ids.device);
  return { arrival: { bytes: encoded.assemble(signature), topic, retained: false }, to, forged: true };
}

function evilToken(random: SeededRandom): Uint8Array {
  return encodeText(`${EVIL}${random.below(1_000_000)}`);
}

/** A token that is in use, for a forged answer to a real question. */
function tokenOf({ arrival }: Captured): Uint8Array {
  const decoded = decode(arrival.bytes);
  if (!decoded.ok) throw new TypeError(`a captured message does not decode: ${decoded.code}`);
  return decoded.value.message.token;
}

function toDevice(token: Uint8Array, random: SeededRandom, { device }: Ids): readonly Draft[] {
  const digest = 'e'.repeat(64);
  return [
    { type: 'INITIATE', token, body: { url: 'https://evil.example/x', digest } },
    { type: 'ACTIVATE', token, body: {} },
    { type: 'ACTION', token, body: { actionId: random.below(16) } },
    { type: 'DATA', token, body: { dataId: 'set', data: random.bytes(4) } },
    { type: 'ID_REQUEST', token, body: {} },
    { type: 'JOIN_CMD', token, body: { deviceId: device } },
    { type: 'TERMINATE_CMD', token, body: {} },
    { type: 'DEREGISTER_CMD', token, body: {} },
    { type: 'RESPONSE', token, body: { status: random.pick([0x50, 0x5f, 0x70, 0x80]) } },
  ];
}

function toServer(token: Uint8Array, random: SeededRandom): readonly Draft[] {
  return [
    { type: 'JOIN_REQ', token, body: {} },
    { type: 'RESPONSE', token, body: { status: random.pick([0x00, 0x10, 0x20, 0x70, 0x80]) } },
    { type: 'DATA', token, body: { dataId: 'IDENTIFICATION_RESPONSE', data: encodeText('srup-agent/666 ') } },
    { type: 'DATA', token, body: { dataId: 'temperature', data: random.bytes(4) } },
    { type: 'RESIGN_REQUEST', token, body: {} },
    { type: 'DEREGISTER_REQ', token, body: {} },
  ];
}
