import { createPrivateKey, createPublicKey, hash, type KeyObject } from 'node:crypto';
import type { Secret } from '../secret.ts';
import { remember } from './cache.ts';
import { KeyError } from './fault.ts';

const PUBLIC_PEM = /^\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]*)-----END PUBLIC KEY-----\s*$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** Characters of one line of a PEM file. */
const LINE = /.{1,64}/g;
/** Parsed public keys that are kept: those of the peers that spoke last. */
const KEPT_KEYS = 4096;

/** The base64 of a public PEM on one line, which is how the key service carries keys (P 8.1). Throws `KeyError`. */
export function pemToBody(pem: string): string {
  const body = PUBLIC_PEM.exec(pem)?.[1]?.replace(/\s/g, '');
  if (body === undefined || !isBase64(body)) {
    throw new KeyError(
      'KEY_MALFORMED',
      'This is not a public key in PEM form: it has to begin with "-----BEGIN PUBLIC KEY-----".',
    );
  }
  return body;
}

/** The public PEM of such a base64, which can contain newlines (P 8.1). Throws `KeyError`. */
export function bodyToPem(body: string): string {
  const base64 = body.replace(/\s/g, '');
  if (!isBase64(base64)) {
    throw new KeyError(
      'KEY_MALFORMED',
      'This is not a public key: send the base64 of its PEM file, without header and footer.',
    );
  }
  return `-----BEGIN PUBLIC KEY-----\n${(base64.match(LINE) ?? []).join('\n')}\n-----END PUBLIC KEY-----\n`;
}

function isBase64(text: string): boolean {
  return text.length > 0 && BASE64.test(text);
}

/** Reads strict base64 that can be broken into lines; undefined for anything else. */
export function fromBase64(text: string): Uint8Array | undefined {
  const base64 = text.replace(/\s/g, '');
  return BASE64.test(base64) ? Buffer.from(base64, 'base64') : undefined;
}

/** The key of an SPKI PEM. Parsing costs more than verifying, so the result is kept. Throws `KeyError`. */
export const parsePublicKey: (pem: string) => KeyObject = remember(KEPT_KEYS, (pem) => {
  const der = Buffer.from(pemToBody(pem), 'base64');
  const key = parsed(() => createPublicKey({ key: der, format: 'der', type: 'spki' }), 'public');
  // One key has one text. Surplus bytes and odd encodings could tell two readers two things.
  if (!key.export({ format: 'der', type: 'spki' }).equals(der)) {
    throw new KeyError(
      'KEY_MALFORMED',
      'The public key is not encoded canonically: export it again, e.g. with "openssl pkey -pubin".',
    );
  }
  return key;
});

const privateKeys = new WeakMap<Secret, KeyObject>();

/** The key of an unencrypted PKCS#1 or PKCS#8 PEM. It is kept as long as its `Secret`. Throws `KeyError`. */
export function parsePrivateKey(pem: Secret): KeyObject {
  let key = privateKeys.get(pem);
  if (key === undefined) {
    key = parsed(() => createPrivateKey({ key: pem.reveal(), format: 'pem' }), 'private');
    privateKeys.set(pem, key);
  }
  return key;
}

function parsed(parse: () => KeyObject, which: string): KeyObject {
  try {
    return parse();
  } catch {
    // The cause can quote its input, so it is not passed on.
    throw new KeyError(
      'KEY_MALFORMED',
      `The ${which} key cannot be read: it is damaged, encrypted, or of a kind that this system does not know.`,
    );
  }
}

/**
 * The SHA-256 of a public key's SPKI form, lower-case hex. One key has exactly one. Throws `KeyError`.
 *
 * @example
 * publicFingerprint(keys.signing.publicPem); // '5f0c...'
 */
export function publicFingerprint(publicPem: string): string {
  return hash('sha256', parsePublicKey(publicPem).export({ format: 'der', type: 'spki' }), 'hex');
}
