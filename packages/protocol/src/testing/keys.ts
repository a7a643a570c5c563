import type { SignKey, VerifyKey } from '../trust/suite.ts';
import { sfc32 } from './random.ts';

const SIGNATURE_BYTES = 64;

/**
 * Keys whose "signature" is a keyed checksum with the length of Ed25519's. Who can verify can sign, and anybody can
 * forge: only for tests of what happens around signatures, where real ones would cost most of the time.
 */
export function fakeKeys(secret: number): { readonly sign: SignKey; readonly verify: VerifyKey } {
  const sign = (data: Uint8Array) => checksum(secret, data);
  return {
    sign: { suite: 'ed25519', sign, signAside: (data) => Promise.resolve(sign(data)) },
    verify: { suite: 'ed25519', verify: (data, signature) => isSame(sign(data), signature) },
  };
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
