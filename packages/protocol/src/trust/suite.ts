import type { Identity } from '../identity.ts';

/** Signature suites (P 4.1). The device's key decides which one is used. A server holds one key for each suite. */
export type SuiteName = 'rsa-sha256' | 'ed25519' | 'ml-dsa-65';

export interface Suite {
  readonly name: SuiteName;
  /** Bytes of a signature. No other length reaches the cryptography. */
  readonly signatureBytes: { readonly least: number; readonly most: number };
  /** How a field is sealed to the holder of such a key. */
  readonly sealing: 'rsa-aes-cbc' | 'hpke-x25519';
  /** The published reference can use it. */
  readonly interop: boolean;
  readonly clause: string;
}

export const SUITES: Readonly<Record<SuiteName, Suite>> = {
  'rsa-sha256': {
    name: 'rsa-sha256',
    signatureBytes: { least: 256, most: 512 },
    sealing: 'rsa-aes-cbc',
    interop: true,
    clause: 'P 4.2, 4.3',
  },
  ed25519: {
    name: 'ed25519',
    signatureBytes: { least: 64, most: 64 },
    sealing: 'hpke-x25519',
    interop: false,
    clause: 'P 4.4',
  },
  'ml-dsa-65': {
    name: 'ml-dsa-65',
    signatureBytes: { least: 3309, most: 3309 },
    sealing: 'hpke-x25519',
    interop: false,
    clause: 'P 4.5',
  },
};

/** Tells whether a text names a suite. */
export function isSuiteName(name: string): name is SuiteName {
  return Object.hasOwn(SUITES, name);
}

/** A parsed public key. */
export interface VerifyKey {
  readonly suite: SuiteName;
  /** False for every defect of key, length or value. Never throws on hostile bytes. */
  verify(data: Uint8Array, signature: Uint8Array): boolean;
  /** Does the same off the calling thread, if that takes less of its time. Never rejects on hostile bytes. */
  verifyAside(data: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

/** A parsed private key that can only sign. Nothing gives it away. */
export interface SignKey {
  readonly suite: SuiteName;
  sign(data: Uint8Array): Uint8Array;
  /** Signs off the calling thread, if that is faster than waiting. */
  signAside(data: Uint8Array): Promise<Uint8Array>;
}

/** What a sealed field is bound to (P 4.4). It can't be moved to another message or recipient. */
export interface SealContext {
  readonly recipient: Identity;
  /** Bytes 0..20+T of the message that carries it. */
  readonly header: Uint8Array;
}

export interface SealKey {
  seal(plaintext: Uint8Array, context: SealContext): Promise<Uint8Array>;
}

export interface OpenKey {
  /** Undefined for every failure alike (P 4.3). Call it only on a field of a `Fresh` message. */
  open(sealed: Uint8Array, context: SealContext): Promise<Uint8Array | undefined>;
}
