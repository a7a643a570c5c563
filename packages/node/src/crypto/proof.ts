import { sign, verify } from 'node:crypto';
import type { Secret } from '../secret.ts';
import { fromBase64, parsePrivateKey, parsePublicKey } from './pem.ts';
import { algorithmOf } from './suites.ts';

/** Base64 of the signature of a text for the key service: RSA-PSS, Ed25519 or ML-DSA (P 8.2). Throws `KeyError`. */
export function proveText(privatePem: Secret, text: string): string {
  const key = parsePrivateKey(privatePem);
  const algorithm = algorithmOf(key);
  return sign(algorithm.hash, Buffer.from(text), algorithm.proofBy(key)).toString('base64');
}

/**
 * Does the base64, which may hold newlines, prove that the holder of this key signed the text (P 8.2)?
 * False for every defect of the proof; throws `KeyError` for a key that is none.
 */
export function checkProof(publicPem: string, text: string, base64: string): boolean {
  const key = parsePublicKey(publicPem);
  const algorithm = algorithmOf(key);
  const signature = fromBase64(base64);
  return (
    signature !== undefined && verify(algorithm.hash, Buffer.from(text), algorithm.proofOf(key), signature)
  );
}
