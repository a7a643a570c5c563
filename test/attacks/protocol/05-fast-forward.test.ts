/** Threat 5: numbers at their maximum. Bounded jumps stop it (P 5.2), and a counter that never wraps (P 5.1). */
import { beforeAll, expect, test } from 'vitest';
import { MAX_SEQUENCE_JUMP, MAX_U64, nextSequence, type Draft } from '@srup/protocol';
import {
  action,
  createParty,
  DEVICE,
  deviceTopic,
  joinTopic,
  newToken,
  Receiver,
  send,
  SERVER,
  verdictsWithout,
  type Party,
} from './scene.ts';

let server: Party;
let device: Party;

beforeAll(async () => {
  server = await createParty(SERVER, 'ed25519');
  device = await createParty(DEVICE, 'ed25519');
});

async function verdicts(...sequences: readonly bigint[]): Promise<string[]> {
  const receiver = new Receiver('device', DEVICE, [server]);
  const found: string[] = [];
  for (const sequence of sequences) {
    found.push(receiver.verdict(await send(server, DEVICE, sequence, action()), deviceTopic(DEVICE)));
  }
  return found;
}

test('an attacker with a stolen key cannot exhaust the counter in one message; genuine messages pass', async () => {
  expect(await verdicts(10n, MAX_U64, MAX_U64 - 1n, 11n)).toEqual([
    'accepted',
    'REPLAY_JUMP',
    'REPLAY_JUMP',
    'accepted',
  ]);
});

test('without the bound, one message shuts out every genuine one', async () => {
  const sequences = [10n, MAX_U64, 11n, 12n];
  const arrivals = sequences.map(async (sequence) => {
    return [await send(server, DEVICE, sequence, action()), deviceTopic(DEVICE)] as const;
  });
  const verdicts = verdictsWithout(['boundedJump'], 'device', DEVICE, [server], await Promise.all(arrivals));
  expect(await verdicts).toEqual(['accepted', 'accepted', 'REPLAY_OLD', 'REPLAY_OLD']);
});

test('the largest jump is 2^32', async () => {
  expect(await verdicts(10n, 10n + MAX_SEQUENCE_JUMP + 1n)).toEqual(['accepted', 'REPLAY_JUMP']);
  expect(await verdicts(10n, 10n + MAX_SEQUENCE_JUMP)).toEqual(['accepted', 'accepted']);
});

test('numbers at the very end are told apart as any others are', async () => {
  const receiver = new Receiver('server', SERVER, [device]);
  const ask: Draft = { type: 'JOIN_REQ', token: newToken(), body: {} };
  const top = await send(device, SERVER, MAX_U64, ask);
  const below = await send(device, SERVER, MAX_U64 - 3n, { ...ask, token: newToken() });
  const codes = [top, top, below, below].map((bytes) => receiver.verdict(bytes, joinTopic(SERVER, DEVICE)));
  expect(codes).toEqual(['accepted', 'REPLAY_SEEN', 'accepted', 'REPLAY_SEEN']);
});

test('at the end the sender stops rather than wrap to numbers that were used', () => {
  expect(nextSequence({ sent: MAX_U64 - 1n, highest: 0n })).toBe(MAX_U64);
  expect(() => nextSequence({ sent: MAX_U64, highest: 0n })).toThrow(/register the device anew/);
});
