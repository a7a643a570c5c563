/** The suites on Node's own cryptography: one row each (P 4.1). Everything in which suites differ is here. */
import {
  constants,
  createPublicKey,
  generateKeyPair,
  sign,
  verify,
  type KeyObject,
  type SignKeyObjectInput,
  type VerifyKeyObjectInput,
} from 'node:crypto';
import { promisify } from 'node:util';
import type { SuiteName } from '@srup/protocol';
import { plainBytes } from './bytes.ts';
import { KeyError } from './fault.ts';

const makePair = promisify(generateKeyPair);

/** Bits of an RSA modulus (P 4.2). */
const RSA_LEAST_BITS = 2048;
const RSA_MOST_BITS = 4096;
const RSA_EXPONENT = 65537n;

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export interface Algorithm {
  readonly suite: SuiteName;
  readonly hash: 'sha256' | null;
  /** A signature takes tens of microseconds, so it is not worth another thread. */
  readonly signsQuickly: boolean;
  /** The same for verifying. With RSA verifying is the quick one. */
  readonly verifiesQuickly: boolean;
  generate(): Promise<KeyPair>;
  /** Checks a public key. Throws `KeyError` KEY_WEAK. */
  check(key: KeyObject): void;
  /** How a text is signed and verified for the key service (P 8.2). */
  proofBy(key: KeyObject): SignKeyObjectInput;
  proofOf(key: KeyObject): VerifyKeyObjectInput;
}

/** Rows by Node's name of the key type. */
const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  rsa: {
    suite: 'rsa-sha256',
    hash: 'sha256',
    signsQuickly: false,
    verifiesQuickly: true,
    generate: () => makePair('rsa', { modulusLength: RSA_LEAST_BITS, publicExponent: Number(RSA_EXPONENT) }),
    check: checkRsa,
    proofBy: (key) => ({ ...PSS, key, saltLength: constants.RSA_PSS_SALTLEN_MAX_SIGN }),
    // Exactly the longest salt, not any salt: as the reference insists (P 8.2).
    proofOf: (key) => ({ ...PSS, key, saltLength: longestSalt(key) }),
  },
  ed25519: {
    suite: 'ed25519',
    hash: null,
    signsQuickly: true,
    verifiesQuickly: false,
    generate: () => makePair('ed25519'),
    check: checkEd25519,
    proofBy: (key) => ({ key }),
    proofOf: (key) => ({ key }),
  },
  'ml-dsa-65': {
    suite: 'ml-dsa-65',
    hash: null,
    signsQuickly: false,
    verifiesQuickly: false,
    generate: () => makePair('ml-dsa-65'),
    check: () => undefined, // FIPS 204 knows no weak keys
    proofBy: (key) => ({ key }),
    proofOf: (key) => ({ key }),
  },
};

const BY_SUITE: ReadonlyMap<SuiteName, Algorithm> = new Map(
  Object.values(ALGORITHMS).map((algorithm) => [algorithm.suite, algorithm]),
);

const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING };
const SHA256_BYTES = 32;

/** RFC 8017, 9.1.1: the part of the modulus that hash and two fixed bytes leave for the salt. */
function longestSalt(key: KeyObject): number {
  return Math.ceil((modulusBits(key) - 1) / 8) - SHA256_BYTES - 2;
}

/** Bits of an RSA key's modulus; 0 for other keys. */
export function modulusBits(key: KeyObject): number {
  return key.asymmetricKeyDetails?.modulusLength ?? 0;
}

/**
 * A short modulus can be factored. With a small exponent lax padding checks let an attacker forge a signature (P 4.2).
 */
function checkRsa(key: KeyObject): void {
  const bits = modulusBits(key);
  if (bits < RSA_LEAST_BITS || bits > RSA_MOST_BITS) {
    throw new KeyError(
      'KEY_WEAK',
      `The RSA key has ${bits} bits; ${RSA_LEAST_BITS} to ${RSA_MOST_BITS} are taken. Make a new key.`,
    );
  }
  const exponent = key.asymmetricKeyDetails?.publicExponent;
  if (exponent !== RSA_EXPONENT) {
    throw new KeyError(
      'KEY_WEAK',
      `The RSA key has the exponent ${exponent ?? 'unknown'}; only ${RSA_EXPONENT} is taken. Make a new key.`,
    );
  }
  // An even modulus is no product of two large primes. OpenSSL fails to seal to it.
  if (isEven(Buffer.from(key.export({ format: 'jwk' }).n ?? '', 'base64url'))) {
    throw new KeyError(
      'KEY_WEAK',
      'The RSA key has an even modulus: it was not made by a sound program. Make a new key.',
    );
  }
}

function isEven(bigEndian: Buffer): boolean {
  return ((bigEndian.at(-1) ?? 0) & 1) === 0;
}

/** y coordinates of the points whose order divides 8, in all encodings, with the sign bit cleared. */
const LOW_ORDER: ReadonlySet<string> = new Set([
  `00${'00'.repeat(31)}`,
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
]);

/** For such a key a signature that nobody made holds for many messages. */
function checkEd25519(key: KeyObject): void {
  const point = Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');
  const last = point.length - 1;
  point[last] = (point[last] ?? 0) & 0x7f;
  if (LOW_ORDER.has(point.toString('hex'))) {
    throw new KeyError(
      'KEY_WEAK',
      'The Ed25519 key is a point of low order: anyone could sign for it. Make a new key.',
    );
  }
}

const known = new WeakMap<KeyObject, Algorithm>();

/** The row of a parsed key, after its checks. Throws `KeyError`. */
export function algorithmOf(key: KeyObject): Algorithm {
  let algorithm = known.get(key);
  if (algorithm === undefined) {
    algorithm = checkedAlgorithm(key);
    known.set(key, algorithm);
  }
  return algorithm;
}

function checkedAlgorithm(key: KeyObject): Algorithm {
  const type = key.asymmetricKeyType ?? 'secret';
  const algorithm = Object.hasOwn(ALGORITHMS, type) ? ALGORITHMS[type] : undefined;
  if (algorithm === undefined) {
    throw new KeyError(
      'KEY_UNSUPPORTED',
      `No suite signs with a key of type ${type}. Use RSA, Ed25519 or ML-DSA-65.`,
    );
  }
  algorithm.check(key.type === 'private' ? createPublicKey(key) : key);
  return algorithm;
}

/** The row of a suite. */
export function algorithmFor(suite: SuiteName): Algorithm {
  return BY_SUITE.get(suite) as Algorithm;
}

export function signWith(algorithm: Algorithm, key: KeyObject, data: Uint8Array): Uint8Array {
  return plainBytes(sign(algorithm.hash, data, key));
}

/** Signs on the thread pool, if that is worth the way there and back. */
export function signAsideWith(algorithm: Algorithm, key: KeyObject, data: Uint8Array): Promise<Uint8Array> {
  if (algorithm.signsQuickly) return Promise.resolve(signWith(algorithm, key, data));
  return new Promise((resolve, fail) => {
    sign(algorithm.hash, data, key, (fault, signature) => {
      if (fault === null) resolve(plainBytes(signature));
      else fail(fault);
    });
  });
}

export function verifyWith(
  algorithm: Algorithm,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  return verify(algorithm.hash, data, key, signature);
}

/** Verifies on the thread pool, if that is worth the way there and back. */
export function verifyAsideWith(
  algorithm: Algorithm,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (algorithm.verifiesQuickly) return Promise.resolve(verifyWith(algorithm, key, data, signature));
  return new Promise((resolve, fail) => {
    verify(algorithm.hash, data, key, signature, (fault, isGenuine) => {
      if (fault === null) resolve(isGenuine);
      else fail(fault);
    });
  });
}
