/**
 * Sealing as the published reference does it (P 4.3):
 * `i32 K | K bytes: AES-256 key under RSA PKCS#1 v1.5 | 16 bytes IV | i32 C | i32 plaintext length | C bytes AES-256-CBC`,
 * every i32 little-endian. It cannot be bound to its message: the reference has no place for that.
 */
import {
  constants,
  createCipheriv,
  createDecipheriv,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';
import type { OpenKey, SealKey } from '@srup/protocol';
import { plainBytes } from './bytes.ts';
import { KeyError } from './fault.ts';
import { parsePrivateKey, parsePublicKey } from './pem.ts';
import type { Sealing } from './sealing.ts';
import { algorithmOf, modulusBits } from './suites.ts';

const CIPHER = 'aes-256-cbc';
const KEY_BYTES = 32;
const BLOCK_BYTES = 16;
const LENGTH_BYTES = 4;
const PKCS1 = { padding: constants.RSA_PKCS1_PADDING };

export const RSA_AES_CBC: Sealing = {
  generate: () => Promise.resolve(undefined),
  importSealKey({ signing }): SealKey {
    const key = checkRsa(parsePublicKey(signing));
    return { seal: (plaintext) => Promise.resolve(seal(key, plaintext)) };
  },
  importOpenKey({ signing }): OpenKey {
    const key = checkRsa(parsePrivateKey(signing.privatePem));
    requireImplicitRejection(key);
    return { open: (sealed) => Promise.resolve(open(key, sealed)) };
  },
};

function checkRsa(key: KeyObject): KeyObject {
  if (algorithmOf(key).suite !== 'rsa-sha256') {
    throw new KeyError(
      'KEY_UNSUPPORTED',
      'Only an RSA key can seal in the way of rsa-sha256. Name the suite of the key.',
    );
  }
  return key;
}

function seal(key: KeyObject, plaintext: Uint8Array): Uint8Array {
  const aesKey = randomBytes(KEY_BYTES);
  const iv = randomBytes(BLOCK_BYTES);
  const cipher = createCipheriv(CIPHER, aesKey, iv);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  const sealedKey = publicEncrypt({ ...PKCS1, key }, aesKey);
  const parts = [
    int32(sealedKey.length),
    sealedKey,
    iv,
    int32(ciphertext.length),
    int32(plaintext.length),
    ciphertext,
  ];
  return plainBytes(Buffer.concat(parts));
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(LENGTH_BYTES);
  bytes.writeInt32LE(value);
  return bytes;
}

interface Blob {
  readonly sealedKey: Uint8Array;
  readonly iv: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly padding: number;
}

/** Undefined for every failure alike, so that nobody learns which part was wrong (P 4.3). */
function open(key: KeyObject, sealed: Uint8Array): Uint8Array | undefined {
  const blob = parse(sealed, Math.ceil(modulusBits(key) / 8));
  if (blob === undefined) return undefined;
  const decipher = createDecipheriv(CIPHER, openSealedKey(key, blob.sealedKey), blob.iv).setAutoPadding(
    false,
  );
  const padded = Buffer.concat([decipher.update(blob.ciphertext), decipher.final()]);
  const end = padded.length - blob.padding;
  const expected = Buffer.alloc(blob.padding, blob.padding);
  return timingSafeEqual(padded.subarray(end), expected) ? plainBytes(padded.subarray(0, end)) : undefined;
}

/**
 * Cuts the blob by its lengths, which must agree with the buffer, the key and each other. They are public, so the
 * order of the checks does not matter.
 */
function parse(sealed: Uint8Array, keyBytes: number): Blob | undefined {
  const head = LENGTH_BYTES + keyBytes + BLOCK_BYTES + 2 * LENGTH_BYTES;
  if (sealed.length < head + BLOCK_BYTES) return undefined;
  const view = new DataView(sealed.buffer, sealed.byteOffset, sealed.length);
  const ivAt = LENGTH_BYTES + keyBytes;
  const lengthsAt = ivAt + BLOCK_BYTES;
  const ciphertextBytes = view.getInt32(lengthsAt, true);
  const padding = ciphertextBytes - view.getInt32(lengthsAt + LENGTH_BYTES, true);
  const agree =
    view.getInt32(0, true) === keyBytes &&
    ciphertextBytes === sealed.length - head &&
    ciphertextBytes % BLOCK_BYTES === 0 &&
    padding >= 1 &&
    padding <= BLOCK_BYTES;
  if (!agree) return undefined;
  return {
    sealedKey: sealed.subarray(LENGTH_BYTES, ivAt),
    iv: sealed.subarray(ivAt, lengthsAt),
    ciphertext: sealed.subarray(head),
    padding,
  };
}

/**
 * Goes on with a random key if there is no right one. An attacker who sends many blobs must not learn which of them
 * had a well-formed PKCS#1 block (Bleichenbacher's attack).
 */
function openSealedKey(key: KeyObject, sealedKey: Uint8Array): Uint8Array {
  const spare = randomBytes(KEY_BYTES);
  try {
    const aesKey = privateDecrypt({ ...PKCS1, key }, sealedKey);
    return aesKey.length === KEY_BYTES ? aesKey : spare;
  } catch {
    return spare; // a number above the modulus: everybody can see that, and nobody is told
  }
}

let rejectsImplicitly: boolean | undefined;

/**
 * Refuses an OpenSSL that reports a malformed PKCS#1 block: it answers the attacker's question whatever we do
 * afterwards. One that rejects implicitly invents a message instead (P 4.3). This is tried once for each process.
 */
function requireImplicitRejection(key: KeyObject): void {
  rejectsImplicitly ??= opensMalformed(key);
  if (!rejectsImplicitly) {
    throw new KeyError(
      'KEY_UNSUPPORTED',
      'This OpenSSL does not reject RSA padding implicitly, so opening sealed fields would betray them. Use Node.js 24 with its own OpenSSL.',
    );
  }
}

function opensMalformed(key: KeyObject): boolean {
  const malformed = Buffer.alloc(Math.ceil(modulusBits(key) / 8), 1);
  malformed[0] = 0;
  const block = publicEncrypt({ key, padding: constants.RSA_NO_PADDING }, malformed);
  try {
    privateDecrypt({ ...PKCS1, key }, block);
    return true;
  } catch {
    return false;
  }
}
