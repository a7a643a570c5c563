/** Valid messages of every type, and damaged ones, for property tests and fuzzing. `random` makes all choices. */
import { encode } from '../message/envelope.ts';
import { LAYOUTS, layoutOf, type Field, type MessageType } from '../message/layouts.ts';
import type { Message } from '../message/message.ts';
import { createToken } from '../token.ts';
import type { SeededRandom } from './random.ts';

const TYPES = LAYOUTS.map(({ type }) => type);

/** A message that `encode` takes and `decode` gives back unchanged. */
export function randomMessage(random: SeededRandom, type: MessageType = random.pick(TYPES)): Message {
  const { fields } = layoutOf(type);
  const values = fields
    .filter(({ kind }) => kind !== 'zeros')
    .map((field) => [field.name, randomValue(random, field)] as const);
  const terminated = fields
    .filter(({ kind }) => kind === 'cstring' && random.chance(0.5))
    .map(({ name }) => name);
  return {
    type,
    sequence: randomU64(random),
    sender: randomU64(random),
    token: randomToken(random),
    body: Object.fromEntries(values),
    ...(terminated.length > 0 && { terminated }),
  } as Message;
}

/** The bytes of a random message with random bytes as its signature. */
export function randomMessageBytes(random: SeededRandom, type?: MessageType): Uint8Array {
  const signature = random.bytes(random.pick([0, 1, 64, 256, 384, 512, 3309]));
  return encode(randomMessage(random, type)).assemble(signature);
}

function randomValue(random: SeededRandom, { kind }: Field): unknown {
  switch (kind) {
    case 'u8':
      return random.below(0x100);
    case 'u32':
      return random.below(0x1_0000_0000);
    case 'id':
      return randomU64(random);
    case 'bytes':
    case 'sealed':
      return random.bytes(randomLength(random));
    default:
      return randomText(random);
  }
}

/** 1 to 2^64-1, with as many small numbers as large ones. */
function randomU64(random: SeededRandom): bigint {
  const width = 1 + random.below(8);
  const number = random.bytes(width).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return number === 0n ? 1n : number;
}

function randomToken(random: SeededRandom): Uint8Array {
  if (random.chance(0.5)) return createToken(random.below(2 ** 48), random.bytes(10));
  return random.bytes(1 + random.below(255));
}

/** Mostly short, sometimes empty, sometimes of a size that needs both bytes of a length. */
function randomLength(random: SeededRandom): number {
  return random.pick([0, 1, random.below(64), random.below(64), random.below(2000)]);
}

/** First and last code points of blocks of one, two, three and four bytes of UTF-8. */
const BLOCKS = [
  [0x01, 0x7f],
  [0x80, 0x7ff],
  [0x800, 0xd7ff],
  [0xe000, 0xffff],
  [0x1_0000, 0x10_ffff],
] as const;

function randomText(random: SeededRandom): string {
  const [first, last] = random.pick(BLOCKS);
  const points = Array.from({ length: randomLength(random) }, () => first + random.below(last - first + 1));
  return points.map((point) => String.fromCodePoint(point)).join('');
}

/** The bytes with one piece of damage. Sometimes that is still a message, more often not. */
export function mutate(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  return random.pick(MUTATIONS)(bytes, random);
}

type Mutation = (bytes: Uint8Array, random: SeededRandom) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  flipBit,
  setByte,
  setLength,
  truncate,
  remove,
  insert,
  append,
  duplicate,
];

function flipBit(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  return withByte(bytes, random, (byte) => byte ^ (1 << random.below(8)));
}

function setByte(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  return withByte(bytes, random, () => random.pick([0x00, 0x01, 0x7f, 0x80, 0xff, random.below(256)]));
}

function withByte(bytes: Uint8Array, random: SeededRandom, change: (byte: number) => number): Uint8Array {
  const copy = bytes.slice();
  const at = random.below(copy.length);
  if (at < copy.length) copy[at] = change(copy[at] as number);
  return copy;
}

/** Overwrites two bytes as if they were a length: most faults of parsers are here. */
function setLength(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const copy = bytes.slice();
  const length = random.pick([0, 1, 0x7fff, 0x8000, 0xffff, bytes.length, random.below(0x1_0000)]) & 0xffff;
  const at = random.below(Math.max(0, copy.length - 1));
  copy.set([length >>> 8, length & 0xff].slice(0, copy.length - at), at);
  return copy;
}

function truncate(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  return bytes.slice(0, random.below(bytes.length));
}

function remove(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const at = random.below(bytes.length);
  return concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(8))]);
}

function insert(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const at = random.below(bytes.length + 1);
  return concat([bytes.subarray(0, at), random.bytes(1 + random.below(8)), bytes.subarray(at)]);
}

function append(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  return concat([bytes, random.bytes(1 + random.below(8))]);
}

function duplicate(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const at = random.below(bytes.length);
  const end = at + random.below(bytes.length - at + 1);
  return concat([bytes.subarray(0, end), bytes.subarray(at)]);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
