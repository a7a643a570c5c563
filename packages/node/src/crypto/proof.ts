import { sign, verify } from 'node:crypto';
import type { Secret } from '../secret.ts';
import { fromBase64, parsePrivateKey, parsePublicKey } from './pem.ts';
import { algorithmOf } from './suites.ts';

/**
 * Signs a text for the key service, with RSA-PSS, Ed25519 or ML-DSA (P 8.2). Returns base64. Throws `KeyError`.
 *
 * @example
 * const signature = proveText(keys.signing.privatePem, identityText(device));
 */
export function proveText(privatePem: Secret, text: string): string {
  const key = parsePrivateKey(privatePem);
  const algorithm = algorithmOf(key);
  return sign(algorithm.hash, Buffer.from(text), algorithm.proofBy(key)).toString('base64');
}

/**
 * Checks that the holder of this key signed the text (P 8.2). The base64 can contain newlines. False for every defect
 * of the proof. Throws `KeyError` if the text of the key is not a key.
 */
export function checkProof(publicPem: string, text: string, base64: string): boolean {
  const key = parsePublicKey(publicPem);
  const algorithm = algorithmOf(key);
  const signature = fromBase64(base64);
  return (
    signature !== undefined && verify(algorithm.hash, Buffer.from(text), algorithm.proofOf(key), signature)
  );
}
