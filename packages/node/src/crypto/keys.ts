import {
  SUITES,
  type OpenKey,
  type SealKey,
  type SignKey,
  type Suite,
  type SuiteName,
  type VerifyKey,
} from '@srup/protocol';
import { Secret } from '../secret.ts';
import { HPKE_X25519 } from './hpke.ts';
import type { KeyPairPem, KeySet, PublicPems } from './key-set.ts';
import { parsePrivateKey, parsePublicKey } from './pem.ts';
import { RSA_AES_CBC } from './rsa-aes-cbc.ts';
import type { Sealing } from './sealing.ts';
import {
  algorithmFor,
  algorithmOf,
  signAsideWith,
  signWith,
  verifyAsideWith,
  verifyWith,
  type KeyPair,
} from './suites.ts';

/** The ways to seal, by the name that a suite gives. */
const SEALINGS: Readonly<Record<Suite['sealing'], Sealing>> = {
  'rsa-aes-cbc': RSA_AES_CBC,
  'hpke-x25519': HPKE_X25519,
};

/**
 * Makes the keys of a suite on the thread pool.
 *
 * @example
 * const keys = await generateKeys('ed25519');
 * const signKey = importSignKey(keys.signing.privatePem);
 */
export async function generateKeys(suite: SuiteName): Promise<KeySet> {
  const [signing, sealing] = await Promise.all([
    algorithmFor(suite).generate(),
    SEALINGS[SUITES[suite].sealing].generate(),
  ]);
  return { suite, signing: toPem(signing), ...(sealing && { sealing: toPem(sealing) }) };
}

function toPem({ privateKey, publicKey }: KeyPair): KeyPairPem {
  return {
    privatePem: new Secret(privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()),
    publicPem: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
  };
}

/**
 * The key that verifies a peer's messages. The suite follows from the key (P 4.1). Throws `KeyError`.
 *
 * @example
 * importVerifyKey(publicPem).verify(data, signature); // true or false
 */
export function importVerifyKey(publicPem: string): VerifyKey {
  const key = parsePublicKey(publicPem);
  const algorithm = algorithmOf(key);
  return {
    suite: algorithm.suite,
    verify: (data, signature) => verifyWith(algorithm, key, data, signature),
    verifyAside: (data, signature) => verifyAsideWith(algorithm, key, data, signature),
  };
}

/** The key that signs our messages. Throws `KeyError`. */
export function importSignKey(privatePem: Secret): SignKey {
  const key = parsePrivateKey(privatePem);
  const algorithm = algorithmOf(key);
  return {
    suite: algorithm.suite,
    sign: (data) => signWith(algorithm, key, data),
    signAside: (data) => signAsideWith(algorithm, key, data),
  };
}

/**
 * The key that seals fields to a peer. Throws `KeyError`.
 *
 * @example
 * const sealed = await importSealKey('ed25519', publicPems).seal(nonce, { recipient, header });
 */
export function importSealKey(suite: SuiteName, publicPems: PublicPems): SealKey {
  return SEALINGS[SUITES[suite].sealing].importSealKey(publicPems);
}

/** The key that opens fields sealed to us. Throws `KeyError`. */
export function importOpenKey(keys: KeySet): OpenKey {
  return SEALINGS[SUITES[keys.suite].sealing].importOpenKey(keys);
}
