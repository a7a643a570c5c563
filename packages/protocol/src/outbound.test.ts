import { describe, expect, test } from 'vitest';
import { MAX_U64 } from './limits.ts';
import { decode, encodeHeader } from './message/envelope.ts';
import { compose, counterStart, nextSequence, type Draft } from './outbound.ts';
import { authenticate } from './trust/authentic.ts';
import type { SealContext, SealKey } from './trust/suite.ts';
import { fakeKeys } from './testing/keys.ts';
import { toHex } from './wire/encoding.ts';
import { encodeText } from './wire/text.ts';

const SERVER = 0xb9d077e223834cf6n;
const DEVICE = 0x27ab54d670b64be2n;
const { sign, verify } = fakeKeys(1);
const token = encodeText('01939a4e-7b1c-7d2e-8f3a-4b5c6d7e8f90');
const ACTION: Draft = { type: 'ACTION', token, body: { actionId: 4 } };
const INITIATE: Draft = {
  type: 'INITIATE',
  token,
  body: { url: 'https://x.example/1', digest: 'ab'.repeat(32) },
};
const HM_JOIN_RESP: Draft = { type: 'HM_JOIN_RESP', token, body: { sealedNonce: encodeText('the nonce') } };

describe('the next number (P 5.1)', () => {
  test.each([
    [0n, 0n, 1n],
    [7n, 3n, 8n],
    [3n, 7n, 8n],
    [MAX_U64 - 1n, 0n, MAX_U64],
  ])('after %d sent and %d accepted is %d', (sent, highest, next) => {
    expect(nextSequence({ sent, highest })).toBe(next);
  });

  test('ends with the last one: no number is used twice', () => {
    expect(() => nextSequence({ sent: MAX_U64, highest: 0n })).toThrow(RangeError);
    expect(() => nextSequence({ sent: 0n, highest: MAX_U64 })).toThrow(RangeError);
  });
});

test('a composed message is what was drafted, numbered and authentic', async () => {
  const { message, bytes } = await compose(ACTION, 9n, SERVER, { id: DEVICE }, sign);
  expect(message).toEqual({ ...ACTION, sequence: 9n, sender: SERVER });
  const decoded = decode(bytes);
  if (!decoded.ok) throw new Error(decoded.code);
  expect(decoded.value.message).toEqual(message);
  expect(authenticate(decoded.value, verify).ok).toBe(true);
});

test("texts end with pySRUP's NUL only for peers that are pySRUP (P 2.5)", async () => {
  const plain = await compose(INITIATE, 1n, SERVER, { id: DEVICE }, sign);
  const ended = await compose(INITIATE, 1n, SERVER, { id: DEVICE, terminatedText: true }, sign);
  expect(ended.bytes.length).toBe(plain.bytes.length + 2);
  expect([plain.message.terminated, ended.message.terminated]).toEqual([undefined, ['url', 'digest']]);
  const action = await compose(ACTION, 1n, SERVER, { id: DEVICE, terminatedText: true }, sign);
  expect(action.message).not.toHaveProperty('terminated');
});

describe('a sealed field', () => {
  const sealedWith: { plaintext: string; context: SealContext }[] = [];
  const sealKey: SealKey = {
    seal(plaintext, context) {
      sealedWith.push({ plaintext: toHex(plaintext), context });
      return Promise.resolve(encodeText('sealed'));
    },
  };

  test('is sealed to the addressee and to the header of this very message (P 4.4)', async () => {
    const { message, bytes } = await compose(HM_JOIN_RESP, 3n, SERVER, { id: DEVICE, sealKey }, sign);
    expect(message.body).toEqual({ sealedNonce: encodeText('sealed') });
    const { plaintext, context } = sealedWith.at(-1)!;
    expect([plaintext, context.recipient]).toEqual([toHex(encodeText('the nonce')), DEVICE]);
    expect(toHex(context.header)).toBe(toHex(encodeHeader(message)));
    expect(toHex(bytes.subarray(0, context.header.length))).toBe(toHex(context.header));
  });

  test('never leaves in the clear: without the key, nothing is composed', async () => {
    await expect(compose(HM_JOIN_RESP, 3n, SERVER, { id: DEVICE }, sign)).rejects.toThrow(TypeError);
  });

  test('the draft keeps its plaintext: it can be composed again', () => {
    expect(HM_JOIN_RESP.body).toEqual({ sealedNonce: encodeText('the nonce') });
  });
});

test('a counter starts anywhere below 2^62, so that it can grow for ever', () => {
  expect(counterStart(new Uint8Array(8))).toBe(0n);
  expect(counterStart(new Uint8Array(8).fill(0xff))).toBe((1n << 62n) - 1n);
  expect(counterStart(Uint8Array.of(0xc1, 0, 0, 0, 0, 0, 0, 2))).toBe((1n << 56n) + 2n);
  expect(() => counterStart(new Uint8Array(7))).toThrow(RangeError);
});
