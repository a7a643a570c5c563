/** Parses keys from PEM texts, each once a run. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { importOpenKey, importSealKey, importSignKey, importVerifyKey, KeyError, Secret } from '@srup/node';
import type { OpenKey, SealKey, SignKey, VerifyKey } from '@srup/protocol';
import { InputFault } from './request.ts';

/** How many parsed keys of each kind are kept. */
const KEPT_KEYS = 256;

/** A key that opens or seals, and whether it is bound to the recipient's id (P 4.4). */
interface Bound<Key> {
  readonly key: Key;
  readonly needsRecipient: boolean;
}

export const verifyKeyOf: (pem: string) => VerifyKey = keep(importVerifyKey);
export const signKeyOf: (pem: string) => SignKey = keep((pem) => importSignKey(new Secret(pem)));

/** Parses a private key that opens: RSA, or X25519 for the suites whose signing keys can't open. */
export const openKeyOf: (pem: string) => Bound<OpenKey> = keep((pem) => {
  const pair = { privatePem: new Secret(pem), publicPem: '' };
  return isX25519(() => createPrivateKey(pem))
    ? { key: importOpenKey({ suite: 'ed25519', signing: pair, sealing: pair }), needsRecipient: true }
    : { key: importOpenKey({ suite: 'rsa-sha256', signing: pair }), needsRecipient: false };
});

/** Parses the public key that seals for such a key. */
export const sealKeyOf: (pem: string) => Bound<SealKey> = keep((pem) =>
  isX25519(() => createPublicKey(pem))
    ? { key: importSealKey('ed25519', { signing: '', sealing: pem }), needsRecipient: true }
    : { key: importSealKey('rsa-sha256', { signing: pem }), needsRecipient: false },
);

/** Whether the PEM is an X25519 key. It is false for a text that is not a key, which the import then reports. */
function isX25519(parse: () => KeyObject): boolean {
  try {
    return parse().asymmetricKeyType === 'x25519';
  } catch {
    return false;
  }
}

function keep<Key>(make: (pem: string) => Key): (pem: string) => Key {
  const kept = new Map<string, Key>();
  return (pem) => {
    let key = kept.get(pem);
    if (key === undefined) {
      key = made(make, pem);
      if (kept.size >= KEPT_KEYS) kept.clear();
      kept.set(pem, key);
    }
    return key;
  };
}

function made<Key>(make: (pem: string) => Key, pem: string): Key {
  try {
    return make(pem);
  } catch (error) {
    if (error instanceof KeyError) throw new InputFault(error.code, error.message);
    throw error;
  }
}
