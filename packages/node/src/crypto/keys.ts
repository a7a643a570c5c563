import {
  SUITES,
  type OpenKey,
  type SealKey,
  type SignKey,
  type SuiteName,
  type VerifyKey,
} from '@srup/protocol';
import { Secret } from '../secret.ts';
import { parsePrivateKey, parsePublicKey } from './pem.ts';
import { SEALINGS } from './sealing.ts';
import { algorithmFor, algorithmOf, signAsideWith, signWith, verifyWith, type KeyPair } from './suites.ts';

/** A key pair as text: public in SPKI, private in PKCS#8 PEM (PKCS#1 is read too). */
export interface KeyPairPem {
  readonly privatePem: Secret;
  readonly publicPem: string;
}

/** What a party holds for one suite. RSA seals with its one pair, the others with an X25519 pair (P 4.4). */
export interface KeySet {
  readonly suite: SuiteName;
  readonly signing: KeyPairPem;
  readonly sealing?: KeyPairPem;
}

/** The public half, as it is registered (P 8.1). */
export interface PublicPems {
  readonly signing: string;
  readonly sealing?: string;
}

/** Makes the keys of a suite on the thread pool. */
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

/** The key that verifies a peer's messages; the suite follows from the key (P 4.1). Throws `KeyError`. */
export function importVerifyKey(publicPem: string): VerifyKey {
  const key = parsePublicKey(publicPem);
  const algorithm = algorithmOf(key);
  return {
    suite: algorithm.suite,
    verify: (data, signature) => verifyWith(algorithm, key, data, signature),
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

/** The key that seals fields to a peer. Throws `KeyError`. */
export function importSealKey(suite: SuiteName, publicPems: PublicPems): SealKey {
  return SEALINGS[SUITES[suite].sealing].importSealKey(publicPems);
}

/** The key that opens fields sealed to us. Throws `KeyError`. */
export function importOpenKey(keys: KeySet): OpenKey {
  return SEALINGS[SUITES[keys.suite].sealing].importOpenKey(keys);
}
