/**
 * Sealing by HPKE (RFC 9180, P 4.4): base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305.
 * On the wire: 32 bytes encapsulated key, then the ciphertext with its 16-byte tag (plaintext + 48 bytes in all).
 */
import {
  createPublicKey,
  diffieHellman,
  generateKeyPair,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { promisify } from 'node:util';
import type { CipherSuite } from '@hpke/core';
import type { OpenKey, SealContext, SealKey } from '@srup/protocol';
import { plainBytes } from './bytes.ts';
import { KeyError } from './fault.ts';
import { parsePrivateKey, parsePublicKey } from './pem.ts';
import type { Sealing } from './sealing.ts';

const ENCAPSULATED_BYTES = 32;
const TAG_BYTES = 16;
const PURPOSE = new TextEncoder().encode('SRUP seal');

let loaded: Promise<CipherSuite> | undefined;

/** Loaded on demand: many devices never seal or open. */
function loadSuite(): Promise<CipherSuite> {
  loaded ??= (async () => {
    const { CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } = await import('@hpke/core');
    const { Chacha20Poly1305 } = await import('@hpke/chacha20poly1305');
    return new CipherSuite({
      kem: new DhkemX25519HkdfSha256(),
      kdf: new HkdfSha256(),
      aead: new Chacha20Poly1305(),
    });
  })();
  return loaded;
}

const makePair = promisify(generateKeyPair);

export const HPKE_X25519: Sealing = {
  generate: () => makePair('x25519'),
  importSealKey: ({ sealing }) => toSealKey(parsePublicKey(present(sealing))),
  importOpenKey: ({ sealing }) => toOpenKey(parsePrivateKey(present(sealing).privatePem)),
};

function present<Key>(key: Key | undefined): Key {
  if (key === undefined) {
    throw new KeyError(
      'KEY_MALFORMED',
      'There is no key to seal with: this suite needs a second, X25519, key. Register it as sealKey.',
    );
  }
  return key;
}

function toSealKey(key: KeyObject): SealKey {
  const recipientPublicKey = checkX25519(key).toCryptoKey('X25519', true, []);
  return {
    async seal(plaintext, context) {
      const suite = await loadSuite();
      const info = infoOf(context);
      const { enc, ct } = await suite.seal({ recipientPublicKey, info }, plaintext, context.header);
      return plainBytes(Buffer.concat([new Uint8Array(enc), new Uint8Array(ct)]));
    },
  };
}

function toOpenKey(key: KeyObject): OpenKey {
  const publicKey = checkX25519(createPublicKey(key)).toCryptoKey('X25519', true, []);
  const recipientKey = { publicKey, privateKey: key.toCryptoKey('X25519', false, ['deriveBits']) };
  return {
    async open(sealed, context) {
      if (sealed.length < ENCAPSULATED_BYTES + TAG_BYTES) return undefined;
      const suite = await loadSuite();
      const enc = sealed.subarray(0, ENCAPSULATED_BYTES);
      try {
        const info = infoOf(context);
        const ciphertext = sealed.subarray(ENCAPSULATED_BYTES);
        return new Uint8Array(await suite.open({ recipientKey, enc, info }, ciphertext, context.header));
      } catch {
        return undefined; // a wrong point, a wrong tag, another message or recipient: one answer for all
      }
    },
  };
}

/** "SRUP seal" and the recipient's identity. What is sealed for one party does not open for another. */
function infoOf({ recipient }: SealContext): Uint8Array {
  const info = new Uint8Array(PURPOSE.length + 8);
  info.set(PURPOSE);
  new DataView(info.buffer).setBigUint64(PURPOSE.length, recipient, true);
  return info;
}

const PROBE = generateKeyPairSync('x25519').privateKey;

/** A point of low order makes every shared secret zero, which anybody can compute. OpenSSL refuses to derive it. */
function checkX25519(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType !== 'x25519') {
    throw new KeyError(
      'KEY_UNSUPPORTED',
      `A key of type ${key.asymmetricKeyType ?? 'secret'} cannot seal here. Use an X25519 key.`,
    );
  }
  try {
    diffieHellman({ privateKey: PROBE, publicKey: key });
  } catch {
    throw new KeyError(
      'KEY_WEAK',
      'The X25519 key is a point of low order: anyone could open what it seals. Make a new key.',
    );
  }
  return key;
}
