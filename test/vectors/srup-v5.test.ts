import { describe, expect, test } from 'vitest';
import {
  authenticate,
  decode,
  encode,
  layoutOf,
  MAX_MESSAGE_BYTES,
  MAX_TOKEN_BYTES,
  MAX_VAR_BYTES,
  MESSAGES,
  STATUS,
  toHex,
  type Message,
  type MessageType,
} from '@srup/protocol';
import { importSignKey, importVerifyKey, Secret } from '@srup/node';
import { bodyOf, bytesOf, openKeyOf, plaintextOf, tokenOf, V5, type Vector } from './files.ts';

/** The codec's own bounds, for the two vectors that no transport may carry (P 2.4, 6.1). */
const WIDE = { messageBytes: 2 * MAX_VAR_BYTES, tokenBytes: MAX_VAR_BYTES };

function decoded(vector: Vector) {
  const result = decode(bytesOf(vector.hex), WIDE);
  if (!result.ok) throw new Error(`${vector.id} is refused: ${result.code}`);
  return result.value;
}

function expectedMessage(vector: Vector): Message {
  const cstrings = layoutOf(vector.type).fields.filter(({ kind }) => kind === 'cstring');
  const terminated = vector.style === 'pysrup' ? cstrings.map(({ name }) => name) : [];
  return {
    type: vector.type,
    sequence: BigInt(vector.sequenceId),
    sender: BigInt(vector.senderId),
    token: tokenOf(vector),
    body: bodyOf(vector),
    ...(terminated.length > 0 && { terminated }),
  } as Message;
}

const signed = V5.vectors.filter(({ signingKey }) => signingKey !== null);
const sealed = V5.vectors.filter((vector) => plaintextOf(vector) !== undefined);

test('the file covers every message type and every status byte but our own', () => {
  expect(new Set(V5.vectors.map(({ type }) => type))).toEqual(new Set(Object.keys(MESSAGES)));
  const { ACTIVATE_DEFERRED: _, ...known } = STATUS;
  expect(known).toEqual(V5.statusCodes);
  expect([V5.vectors.length, signed.length, sealed.length]).toEqual([167, 163, 21]);
});

describe.each(V5.vectors)('$id: $note', (vector) => {
  const bytes = bytesOf(vector.hex);

  test('parse: decodes to the recorded values', () => {
    expect(decoded(vector).message).toEqual(expectedMessage(vector));
  });

  test('generate: encodes the recorded values to the recorded bytes', () => {
    const signature = bytesOf(vector.signatureHex ?? '');
    expect(toHex(encode(expectedMessage(vector)).assemble(signature))).toBe(vector.hex);
  });

  test('mirror: encodes what it decoded to the same bytes', () => {
    const { message, signature } = decoded(vector);
    expect(toHex(encode(message).assemble(signature))).toBe(vector.hex);
  });

  test('keeps to the limits of a transport', () => {
    const { token } = decoded(vector).message;
    const code =
      bytes.length > MAX_MESSAGE_BYTES
        ? 'WIRE_TOO_LONG'
        : token.length > MAX_TOKEN_BYTES
          ? 'WIRE_TOKEN_LONG'
          : 'accepted';
    const result = decode(bytes);
    expect(result.ok ? 'accepted' : result.code).toBe(code);
  });
});

test('two vectors exceed the limits of a transport', () => {
  const refused = V5.vectors.filter(({ hex }) => !decode(bytesOf(hex)).ok);
  expect(refused.map(({ id }) => id)).toEqual(['ACTIVATE-6', 'INITIATE-7']);
});

describe.each(signed)('$id: signature', (vector) => {
  const pair = V5.keys[vector.signingKey as NonNullable<Vector['signingKey']>];

  test('covers the recorded bytes, cut from what arrived (P 2.3)', () => {
    expect(toHex(decoded(vector).signedBytes())).toBe(vector.signedBytesHex);
    expect(toHex(encode(decoded(vector).message).signedBytes)).toBe(vector.signedBytesHex);
  });

  test("holds under the signer's key, and under no other", () => {
    expect(authenticate(decoded(vector), importVerifyKey(pair.publicKeyPem)).ok).toBe(true);
    const other = authenticate(decoded(vector), importVerifyKey(V5.keys.other.publicKeyPem));
    expect(other).toMatchObject({ ok: false, code: 'AUTH_SIGNATURE' });
  });

  test('is the one that we make from the same key', () => {
    // PKCS#1 v1.5 has no random part, so this holds for sealed vectors too: their bytes are the recorded ones.
    const signKey = importSignKey(new Secret(pair.privateKeyPem));
    expect(toHex(signKey.sign(decoded(vector).signedBytes()))).toBe(vector.signatureHex);
  });
});

describe.each(sealed)('$id: sealed field', (vector) => {
  const field = layoutOf(vector.type).fields.find(({ kind }) => kind === 'sealed')!.name;
  const blob = (decoded(vector).message.body as Record<string, Uint8Array>)[field]!;
  const context = { recipient: 1n, header: decoded(vector).header };

  test("opens with the recipient's key to the recorded plaintext, and with no other", async () => {
    const opened = await openKeyOf(V5.keys.recipient).open(blob, context);
    expect(toHex(opened!)).toBe(toHex(plaintextOf(vector)!));
    expect(await openKeyOf(V5.keys.other).open(blob, context)).toBeUndefined();
  });
});

test('an empty sealed field, which the reference signs, decodes and opens to nothing', async () => {
  const vector = V5.vectors.find(({ id }) => id === 'SYNDICATION_INIT-4')!;
  const { message, header } = decoded(vector) as ReturnType<typeof decoded> & {
    message: { type: MessageType };
  };
  expect(message.type === 'SYNDICATION_INIT' && message.body.sealedIdValue).toHaveLength(0);
  expect(
    await openKeyOf(V5.keys.recipient).open(new Uint8Array(0), { recipient: 1n, header }),
  ).toBeUndefined();
});
