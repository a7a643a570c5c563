import { describe, expect, test } from 'vitest';
import { authenticate, decode, type Decoded, type FaultCode, type Result } from '@srup/protocol';
import { importVerifyKey } from '@srup/node';
import { bytesOf, V5 } from './files.ts';

/** `stricter`: the reference takes this message, we do not, and why. */
interface Verdict {
  readonly ours: FaultCode | 'accepted as JOIN_REQ';
  readonly stricter?: string;
}

const VERDICTS: Readonly<Record<string, Verdict>> = {
  'wrong key': { ours: 'AUTH_SIGNATURE' },
  'version 4': { ours: 'WIRE_EDITION' },
  'type byte changed': {
    // ACTION read as ACTIVATE: its action id is left over, so the key is never tried.
    ours: 'WIRE_TRAILING',
  },
  'sequence changed': { ours: 'AUTH_SIGNATURE' },
  'sender changed': { ours: 'AUTH_SIGNATURE' },
  'token changed': { ours: 'AUTH_SIGNATURE' },
  'signature changed': { ours: 'AUTH_SIGNATURE' },
  'body changed': { ours: 'AUTH_SIGNATURE' },
  'trailing garbage': {
    ours: 'WIRE_TRAILING',
    stricter: 'unsigned bytes could carry anything into logs, stores and other readers (P 2.4)',
  },
  'C2 request without its two surplus zero bytes': {
    ours: 'WIRE_SHORT',
    stricter: 'the verifier would have to invent signed bytes that never arrived (P 2.3)',
  },
  'C2 request with surplus bytes changed': {
    ours: 'WIRE_RESERVED',
    stricter: 'the reference rebuilds zeros before it verifies, so two messages share one signature (P 2.3)',
  },
  'unknown message type 0x7f': { ours: 'WIRE_TYPE' },
  'joined type swap: a signed JOIN_REQ read as RESIGN_REQUEST': {
    // The bytes are a genuine JOIN_REQ. The danger is a reader that is told the type from outside: we have none,
    // the type byte alone decides, and it is signed.
    ours: 'accepted as JOIN_REQ',
    stricter: 'no caller can name a type for the decoder',
  },
  'truncated after token': { ours: 'WIRE_SHORT' },
  'empty signature': { ours: 'AUTH_SIGNATURE' },
  'url without NUL length kept': { ours: 'AUTH_SIGNATURE' },
};

function judge(bytes: Uint8Array, publicPem: string): Result<Decoded> {
  const decoded = decode(bytes);
  if (!decoded.ok) return decoded;
  const authentic = authenticate(decoded.value, importVerifyKey(publicPem));
  return authentic.ok ? decoded : authentic;
}

test('every negative case has a verdict', () => {
  expect(Object.keys(VERDICTS)).toEqual(V5.negative.map(({ name }) => name));
});

describe.each(V5.negative)('$name', ({ name, hex, publicKey, reference }) => {
  const { ours, stricter } = VERDICTS[name]!;

  test(`is ${ours}`, () => {
    const result = judge(bytesOf(hex), V5.keys[publicKey].publicKeyPem);
    expect(result.ok ? `accepted as ${result.value.message.type}` : result.code).toBe(ours);
  });

  test('is refused wherever the reference refuses it; where we are stricter, the table says why', () => {
    const referenceAccepts = reference.deserialize && reference.verify;
    const weAccept = judge(bytesOf(hex), V5.keys[publicKey].publicKeyPem).ok;
    if (!referenceAccepts) expect(weAccept).toBe(false);
    expect(stricter !== undefined).toBe(referenceAccepts);
  });
});

test('control: the messages that the cases were made from are accepted', () => {
  for (const id of ['ACTION-1', 'SYNDICATED_C2_REQ-1', 'JOIN_REQ-1', 'INITIATE-2']) {
    const { hex } = V5.vectors.find((vector) => vector.id === id)!;
    expect(judge(bytesOf(hex), V5.keys.sender.publicKeyPem).ok).toBe(true);
  }
});
