import { describe, expect, test } from 'vitest';
import { decode, encode } from '../message/envelope.ts';
import type { Message } from '../message/message.ts';
import { fakeKeys } from '../testing/keys.ts';
import { toHex } from '../wire/encoding.ts';
import { encodeText } from '../wire/text.ts';
import { authenticate } from './authentic.ts';
import { isSuiteName, SUITES, type SuiteName, type VerifyKey } from './suite.ts';

const MESSAGE: Message = {
  type: 'ACTION',
  sequence: 1n,
  sender: 7n,
  token: encodeText('T'),
  body: { actionId: 1 },
};

function decodedWith(signature: Uint8Array) {
  const result = decode(encode(MESSAGE).assemble(signature));
  if (!result.ok) throw new Error(result.code);
  return result.value;
}

/** A key that says yes to everything, and counts how often it is asked. */
function agreeable(suite: SuiteName): VerifyKey & { asked: number } {
  return {
    suite,
    asked: 0,
    verify() {
      this.asked++;
      return true;
    },
    verifyAside(data, signature) {
      return Promise.resolve(this.verify(data, signature));
    },
  };
}

test('a message is authentic when its signature holds over the bytes that arrived', () => {
  const { sign, verify } = fakeKeys(1);
  const decoded = decodedWith(sign.sign(encode(MESSAGE).signedBytes));
  const result = authenticate(decoded, verify);
  if (!result.ok) throw new Error(result.code);
  expect(result.value.message).toEqual(MESSAGE);
  expect(result.value.suite).toBe('ed25519');
  expect(toHex(result.value.bytes)).toBe(toHex(decoded.bytes));
  expect(toHex(result.value.header)).toBe(toHex(decoded.header));
});

test("under another key it isn't", () => {
  const decoded = decodedWith(fakeKeys(1).sign.sign(encode(MESSAGE).signedBytes));
  expect(authenticate(decoded, fakeKeys(2).verify)).toEqual({
    ok: false,
    code: 'AUTH_SIGNATURE',
    stage: 'auth',
  });
});

describe.each(Object.values(SUITES))('$name', ({ name, signatureBytes: { least, most } }) => {
  test.each([0, 1, least - 1, most + 1, 65_000])(
    'a signature of %i bytes never reaches the cryptography',
    (length) => {
      const key = agreeable(name);
      expect(authenticate(decodedWith(new Uint8Array(length)), key)).toMatchObject({
        code: 'AUTH_SIGNATURE',
      });
      expect(key.asked).toBe(0);
    },
  );

  test.each([least, most])('one of %i bytes does', (length) => {
    const key = agreeable(name);
    expect(authenticate(decodedWith(new Uint8Array(length)), key).ok).toBe(true);
    expect(key.asked).toBe(1);
  });
});

test('suites have names, and objects have none by chance', () => {
  for (const name of Object.keys(SUITES)) expect(isSuiteName(name)).toBe(true);
  for (const name of ['', 'rsa', 'constructor', '__proto__', 'toString'])
    expect(isSuiteName(name)).toBe(false);
});
