import type { OpenKey, SealContext, SealKey, SignKey, VerifyKey } from '../trust/suite.ts';
import { encodeText } from '../wire/text.ts';
import { sfc32 } from './random.ts';

const SIGNATURE_BYTES = 64;

/**
 * Keys whose "signature" is a keyed checksum with the length of Ed25519's, and whose sealing is a keyed stream with such
 * a checksum behind it. Whoever can verify can sign, and whoever can seal can open: only for tests of what happens around
 * cryptography, where real keys would cost most of the time.
 *
 * @example
 * const { sign, verify } = fakeKeys(1);
 * verify.verify(data, sign.sign(data)); // true; false under fakeKeys(2)
 */
export function fakeKeys(secret: number): {
  readonly sign: SignKey;
  readonly verify: VerifyKey;
  readonly seal: SealKey;
  readonly open: OpenKey;
} {
  const sign = (data: Uint8Array) => checksum(secret, data);
  let sealed = 0;
  return {
    sign: { suite: 'ed25519', sign, signAside: (data) => Promise.resolve(sign(data)) },
    verify: {
      suite: 'ed25519',
      verify: (data, signature) => isSame(sign(data), signature),
      verifyAside: (data, signature) => Promise.resolve(isSame(sign(data), signature)),
    },
    seal: { seal: (plaintext, context) => Promise.resolve(seal(secret, ++sealed, plaintext, context)) },
    open: { open: (bytes, context) => Promise.resolve(open(secret, bytes, context)) },
  };
}

/** One byte: the number of the sealing, so that no two are the same. Then the ciphertext, then the checksum. */
const SALT_BYTES = 1;

function seal(secret: number, salt: number, plaintext: Uint8Array, context: SealContext): Uint8Array {
  const ciphertext = Uint8Array.of(salt, ...stream(secret, salt & 0xff, plaintext));
  return Uint8Array.of(...ciphertext, ...checksum(secret, bind(ciphertext, context)));
}

function open(secret: number, sealed: Uint8Array, context: SealContext): Uint8Array | undefined {
  const end = sealed.length - SIGNATURE_BYTES;
  if (end < SALT_BYTES) return undefined;
  const ciphertext = sealed.slice(0, end);
  if (!isSame(checksum(secret, bind(ciphertext, context)), sealed.slice(end))) return undefined;
  return stream(secret, ciphertext[0] as number, ciphertext.slice(SALT_BYTES));
}

function stream(secret: number, salt: number, bytes: Uint8Array): Uint8Array {
  const next = sfc32(secret, salt, 0);
  return bytes.map((byte) => byte ^ (next() & 0xff));
}

function bind(ciphertext: Uint8Array, { recipient, header }: SealContext): Uint8Array {
  return Uint8Array.of(...encodeText(recipient.toString(16)), 0, ...header, 0, ...ciphertext);
}

function checksum(secret: number, data: Uint8Array): Uint8Array {
  let high = secret ^ data.length;
  let low = ~secret;
  for (const byte of data) {
    high = Math.imul(high ^ byte, 0x0100_0193);
    low = Math.imul(low ^ byte ^ (high >>> 15), 0x85eb_ca6b);
  }
  const next = sfc32(secret, high, low);
  return Uint8Array.from({ length: SIGNATURE_BYTES }, () => next() & 0xff);
}

function isSame(first: Uint8Array, second: Uint8Array): boolean {
  return first.length === second.length && first.every((byte, at) => byte === second[at]);
}
