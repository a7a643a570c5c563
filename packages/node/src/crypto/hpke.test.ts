/** What we seal opens by the steps of RFC 9180 done by hand on Node's own primitives, and the reverse. */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { encodeText, toHex } from '@srup/protocol';
import { beforeAll, describe, expect, test } from 'vitest';
import type { KeySet } from './key-set.ts';
import { generateKeys, importOpenKey, importSealKey } from './keys.ts';

const HASH_BYTES = 32;
const TAG_BYTES = 16;
const RECIPIENT = 0x0102030405060708n;
const CONTEXT = { recipient: RECIPIENT, header: encodeText('bytes 0..20+T') };
/** P 4.4: "SRUP seal" and the recipient's id, little-endian. */
const INFO = Buffer.concat([Buffer.from('SRUP seal'), Buffer.from('0807060504030201', 'hex')]);
const NONCE = Buffer.from('636dd7ad8c004d09b2c391d0cc3aa2b0');

const KEM_SUITE = Buffer.concat([Buffer.from('KEM'), Buffer.from('0020', 'hex')]);
const HPKE_SUITE = Buffer.concat([Buffer.from('HPKE'), Buffer.from('002000010003', 'hex')]);

function hmac(key: Buffer, ...parts: Buffer[]): Buffer {
  return createHmac('sha256', key).update(Buffer.concat(parts)).digest();
}

/** RFC 9180, 4. */
function labeledExtract(suite: Buffer, salt: Buffer, label: string, input: Buffer): Buffer {
  return hmac(salt, Buffer.from('HPKE-v1'), suite, Buffer.from(label), input);
}

function labeledExpand(suite: Buffer, key: Buffer, label: string, info: Buffer, length: number): Buffer {
  const size = Buffer.from([length >> 8, length & 0xff]);
  const first = hmac(key, size, Buffer.from('HPKE-v1'), suite, Buffer.from(label), info, Buffer.from([1]));
  expect(length).toBeLessThanOrEqual(HASH_BYTES);
  return first.subarray(0, length);
}

const rawOf = (key: KeyObject) => Buffer.from(key.export({ format: 'jwk' }).x!, 'base64url');

function publicKeyOf(raw: Buffer): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: raw.toString('base64url') }, format: 'jwk' });
}

/** RFC 9180, 4.1 and 5.1: key and nonce of the one message. */
function schedule(dh: Buffer, enc: Buffer, recipient: Buffer): { key: Buffer; nonce: Buffer } {
  const none = Buffer.alloc(0);
  const prk = labeledExtract(KEM_SUITE, none, 'eae_prk', dh);
  const shared = labeledExpand(KEM_SUITE, prk, 'shared_secret', Buffer.concat([enc, recipient]), HASH_BYTES);
  const pskIdHash = labeledExtract(HPKE_SUITE, none, 'psk_id_hash', none);
  const infoHash = labeledExtract(HPKE_SUITE, none, 'info_hash', INFO);
  const context = Buffer.concat([Buffer.from([0]), pskIdHash, infoHash]);
  const secret = labeledExtract(HPKE_SUITE, shared, 'secret', none);
  return {
    key: labeledExpand(HPKE_SUITE, secret, 'key', context, 32),
    nonce: labeledExpand(HPKE_SUITE, secret, 'base_nonce', context, 12),
  };
}

const AEAD = 'chacha20-poly1305';
const AEAD_OPTIONS = { authTagLength: TAG_BYTES };
const AAD_OPTIONS = { plaintextLength: NONCE.length };

describe('P 4.4 beside RFC 9180', () => {
  let keys: KeySet;
  let privateKey: KeyObject;
  let publicKey: KeyObject;

  beforeAll(async () => {
    keys = await generateKeys('ed25519');
    privateKey = createPrivateKey(keys.sealing!.privatePem.reveal());
    publicKey = createPublicKey(keys.sealing!.publicPem);
  });

  test('what we seal is opened by hand: 32 bytes encapsulated key, then ciphertext and tag', async () => {
    const sealKey = importSealKey('ed25519', {
      signing: keys.signing.publicPem,
      sealing: keys.sealing!.publicPem,
    });
    const blob = Buffer.from(await sealKey.seal(NONCE, CONTEXT));
    const enc = blob.subarray(0, 32);
    const dh = diffieHellman({ privateKey, publicKey: publicKeyOf(enc) });
    const { key, nonce } = schedule(dh, enc, rawOf(publicKey));
    const decipher = createDecipheriv(AEAD, key, nonce, AEAD_OPTIONS);
    decipher.setAAD(CONTEXT.header, AAD_OPTIONS).setAuthTag(blob.subarray(-TAG_BYTES));
    const opened = Buffer.concat([decipher.update(blob.subarray(32, -TAG_BYTES)), decipher.final()]);
    expect(opened.toString()).toBe(NONCE.toString());
  });

  test('what is sealed by hand, we open', async () => {
    const ephemeral = generateKeyPairSync('x25519');
    const enc = rawOf(ephemeral.publicKey);
    const dh = diffieHellman({ privateKey: ephemeral.privateKey, publicKey });
    const { key, nonce } = schedule(dh, enc, rawOf(publicKey));
    const cipher = createCipheriv(AEAD, key, nonce, AEAD_OPTIONS).setAAD(CONTEXT.header, AAD_OPTIONS);
    const blob = Buffer.concat([enc, cipher.update(NONCE), cipher.final(), cipher.getAuthTag()]);
    expect(toHex((await importOpenKey(keys).open(blob, CONTEXT))!)).toBe(NONCE.toString('hex'));
  });
});
