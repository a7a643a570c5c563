/**
 * Threat 29: hostile sealed blobs. What holds: P 4.3, every failure is the same `undefined`, nothing throws, and only
 * fields of authentic messages are opened at all.
 */
import { constants, createCipheriv, publicEncrypt, randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  compose,
  encodeText,
  identityText,
  SUITES,
  toHex,
  type OpenKey,
  type SealContext,
  type SealKey,
} from '@srup/protocol';
import { generateKeys, importOpenKey, importSealKey, importSignKey, type KeySet } from '@srup/node';
import { runWithout } from '../support/mutant.ts';
import type { MutationName } from '../support/mutations.ts';
import type { Opening } from '../support/open.ts';
import { decoded, DEVICE, deviceTopic, newToken, Receiver, SERVER } from './scene.ts';

const NONCE = encodeText('636dd7ad8c004d09b2c391d0cc3aa2b0');
const CONTEXT: SealContext = { recipient: DEVICE, header: encodeText('the header of the message') };

function sealKeyOf({ suite, signing, sealing }: KeySet): SealKey {
  return importSealKey(suite, { signing: signing.publicPem, ...(sealing && { sealing: sealing.publicPem }) });
}

/** How openings end where these checks are missing. */
function openWithout(
  checks: readonly MutationName[],
  { suite, signing, sealing }: KeySet,
  blobs: readonly Uint8Array[],
  misled?: Opening['misled'],
): Promise<string[]> {
  const reveal = ({ publicPem, privatePem }: KeySet['signing']) => {
    return { publicPem, privatePem: privatePem.reveal() };
  };
  const opening: Opening = {
    suite,
    signing: reveal(signing),
    ...(sealing && { sealing: reveal(sealing) }),
    recipient: identityText(DEVICE),
    header: 'the header of the message',
    blobs: blobs.map(toHex),
    ...(misled && { misled }),
  };
  return runWithout(checks, './open.ts', opening);
}

describe('rsa-aes-cbc', () => {
  const KEY_BYTES = 256;
  const IV_AT = 4 + KEY_BYTES;
  const CIPHER_LENGTH_AT = IV_AT + 16;
  const PLAIN_LENGTH_AT = CIPHER_LENGTH_AT + 4;
  const CIPHER_AT = PLAIN_LENGTH_AT + 4;

  let keys: KeySet;
  let openKey: OpenKey;
  let blob: Uint8Array;

  beforeAll(async () => {
    keys = await generateKeys('rsa-sha256');
    openKey = importOpenKey(keys);
    blob = await sealKeyOf(keys).seal(NONCE, CONTEXT);
  });

  const opened = (sealed: Uint8Array) => openKey.open(sealed, CONTEXT);

  function withInt32(at: number, value: number, of: Uint8Array = blob): Uint8Array {
    const other = of.slice();
    new DataView(other.buffer).setInt32(at, value, true);
    return other;
  }

  interface Make {
    readonly plaintext?: Uint8Array;
    readonly plainLength?: number;
  }

  /** A blob made by hand around any AES key and any lengths. */
  function blobOf(
    aesKey: Uint8Array,
    { plaintext = NONCE, plainLength = plaintext.length }: Make = {},
  ): Uint8Array {
    const iv = randomBytes(16);
    const cipher = createCipheriv(
      'aes-256-cbc',
      Buffer.concat([aesKey, Buffer.alloc(32)]).subarray(0, 32),
      iv,
    );
    const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
    const padding = constants.RSA_PKCS1_PADDING;
    const sealedKey = publicEncrypt({ key: keys.signing.publicPem, padding }, aesKey);
    const lengths = Buffer.from(Int32Array.of(ciphertext.length, plainLength).buffer);
    return Buffer.concat([Buffer.from(Int32Array.of(KEY_BYTES).buffer), sealedKey, iv, lengths, ciphertext]);
  }

  test('control: what was sealed opens, and so does what is made by hand', async () => {
    expect(toHex((await opened(blob))!)).toBe(toHex(NONCE));
    expect(toHex((await opened(blobOf(randomBytes(32))))!)).toBe(toHex(NONCE));
    for (const length of [0, 1, 15, 16, 17, 1000]) {
      const plaintext = randomBytes(length);
      expect(toHex((await opened(blobOf(randomBytes(32), { plaintext })))!)).toBe(toHex(plaintext));
    }
  });

  const LENGTHS = [
    -0x8000_0000, -0x7fff_ffff, -256, -48, -1, 0, 1, 15, 16, 31, 47, 49, 64, 255, 257, 332, 512, 65_535,
    0x7fff_ffff,
  ];

  test('lengths that are negative, zero, huge, off by one, or overlap', async () => {
    for (const value of LENGTHS) {
      expect(await opened(withInt32(0, value))).toBeUndefined();
      expect(await opened(withInt32(CIPHER_LENGTH_AT, value))).toBeUndefined();
      expect(await opened(withInt32(PLAIN_LENGTH_AT, value))).toBeUndefined();
    }
  });

  test('without the check of lengths, a blob makes its reader throw', async () => {
    const hostile = [withInt32(PLAIN_LENGTH_AT, 1000), withInt32(PLAIN_LENGTH_AT, -100)];
    const ends = await openWithout(['sealedLengths'], keys, hostile);
    expect(ends).toEqual([expect.stringMatching(/^threw /), expect.stringMatching(/^threw /)]);
  });

  test('lengths that agree with each other but not with the buffer', async () => {
    for (const blocks of [1, 2, 4, 100]) {
      const other = withInt32(CIPHER_LENGTH_AT, 16 * blocks, withInt32(PLAIN_LENGTH_AT, 16 * blocks - 16));
      expect(await opened(other)).toBeUndefined();
    }
  });

  test('a plaintext length that does not fit the padding inside', async () => {
    for (let plainLength = 30; plainLength <= 48; plainLength++) {
      const result = await opened(blobOf(randomBytes(32), { plainLength }));
      expect([plainLength, result !== undefined]).toEqual([plainLength, plainLength === NONCE.length]);
    }
  });

  test('every truncation, and anything appended', async () => {
    for (let length = 0; length < blob.length; length++) {
      expect(await opened(blob.subarray(0, length))).toBeUndefined();
    }
    for (const extra of [1, 16, 48]) {
      expect(await opened(Buffer.concat([blob, Buffer.alloc(extra)]))).toBeUndefined();
    }
  });

  test('an AES key of any other length, and RSA blocks that are no PKCS#1: no sign of which it was', async () => {
    for (const length of [0, 1, 16, 31, 33, 100])
      expect(await opened(blobOf(randomBytes(length)))).toBeUndefined();
    const raw = (fill: (block: Buffer) => void): Uint8Array => {
      const block = Buffer.alloc(KEY_BYTES, 1).fill(0, 0, 1);
      fill(block);
      const other = Buffer.from(blob);
      const padding = constants.RSA_NO_PADDING;
      publicEncrypt({ key: keys.signing.publicPem, padding }, block).copy(other, 4);
      return other;
    };
    expect(await opened(raw((block) => block.fill(0)))).toBeUndefined();
    expect(await opened(raw((block) => (block[1] = 1)))).toBeUndefined();
    expect(await opened(raw((block) => block.fill(2, 1)))).toBeUndefined(); // no end of the padding
    expect(await opened(raw((block) => (block[3] = 0)))).toBeUndefined(); // padding too short
    const numbers = [Buffer.alloc(KEY_BYTES, 0), Buffer.alloc(KEY_BYTES, 0xff)]; // 0, and above the modulus
    for (const number of numbers) {
      const other = Buffer.from(blob);
      number.copy(other, 4);
      expect(await opened(other)).toBeUndefined();
    }
  });

  test('a flipped bit in lengths, key or padding opens nothing', async () => {
    const lastBlocks = blob.length - 32; // the padding's block, and the one that is mixed into it
    for (let at = 0; at < blob.length; at++) {
      if (at >= IV_AT && at < CIPHER_LENGTH_AT) continue;
      if (at >= CIPHER_AT && at < lastBlocks) continue;
      const other = blob.slice();
      other[at] = other[at]! ^ (1 << (at & 7));
      expect([at, await opened(other)]).toEqual([at, undefined]);
    }
  });

  /** CBC has no authentication of its own: such a flip would open to another text. So the signature comes first. */
  test('a flipped bit anywhere else never passes the signature, which is checked before anything is opened', async () => {
    const signKey = importSignKey(keys.signing.privatePem);
    const draft = { type: 'HM_JOIN_RESP', token: newToken(), body: { sealedNonce: NONCE } } as const;
    const { bytes } = await compose(draft, 1n, SERVER, { id: DEVICE, sealKey: sealKeyOf(keys) }, signKey);
    const server = { id: SERVER, keys };
    for (let at = bytes.length - (blob.length - IV_AT); at < bytes.length; at++) {
      const other = bytes.slice();
      other[at] = other[at]! ^ 1;
      const verdict = new Receiver('device', DEVICE, [server]).verdict(other, deviceTopic(DEVICE));
      expect([at, verdict]).toEqual([at, 'AUTH_SIGNATURE']);
      const body = decoded(other).message.body as { sealedNonce: Uint8Array };
      await expect(opened(body.sealedNonce)).resolves.not.toEqual(NONCE); // and never throws
    }
    expect(new Receiver('device', DEVICE, [server]).verdict(bytes, deviceTopic(DEVICE))).toBe('accepted');
  });

  test('random blobs of every size', async () => {
    for (let length = 0; length < 700; length += 3) expect(await opened(randomBytes(length))).toBeUndefined();
    expect(await opened(randomBytes(65_535))).toBeUndefined();
  });
});

const HPKE_SUITES = Object.values(SUITES).filter(({ sealing }) => sealing === 'hpke-x25519');

describe.each(HPKE_SUITES)('hpke-x25519 for $name', ({ name }) => {
  let keys: KeySet;
  let openKey: OpenKey;
  let blob: Uint8Array;

  beforeAll(async () => {
    keys = await generateKeys(name);
    openKey = importOpenKey(keys);
    blob = await sealKeyOf(keys).seal(NONCE, CONTEXT);
  });

  const opened = (sealed: Uint8Array, context = CONTEXT) => openKey.open(sealed, context);

  test('control: what was sealed opens, empty or long as well', async () => {
    for (const plaintext of [NONCE, new Uint8Array(0), randomBytes(5000)]) {
      const sealed = await sealKeyOf(keys).seal(plaintext, CONTEXT);
      expect(sealed).toHaveLength(plaintext.length + 48);
      expect(toHex((await opened(sealed))!)).toBe(toHex(plaintext));
    }
  });

  test('every truncation, anything appended, every flipped byte', async () => {
    for (let length = 0; length < blob.length; length++) {
      expect(await opened(blob.subarray(0, length))).toBeUndefined();
    }
    expect(await opened(Buffer.concat([blob, Buffer.alloc(1)]))).toBeUndefined();
    for (let at = 0; at < blob.length; at++) {
      const other = blob.slice();
      other[at] = other[at]! ^ (1 << (at & 7));
      expect([at, await opened(other)]).toEqual([at, undefined]);
    }
  });

  test('moved to another message, another recipient, or opened by another key', async () => {
    expect(
      await opened(blob, { ...CONTEXT, header: encodeText('the header of the messagf') }),
    ).toBeUndefined();
    expect(await opened(blob, { ...CONTEXT, header: new Uint8Array(0) })).toBeUndefined();
    expect(await opened(blob, { ...CONTEXT, recipient: SERVER })).toBeUndefined();
    const other = importOpenKey(await generateKeys(name));
    expect(await other.open(blob, CONTEXT)).toBeUndefined();
  });

  test('without the recipient in it, what was sealed for one opens for another', async () => {
    const misled = { recipient: identityText(SERVER), text: 'a nonce' };
    expect(await openWithout([], keys, [], misled)).toEqual(['refused']);
    expect(await openWithout(['sealedRecipient'], keys, [], misled)).toEqual([
      `opened ${toHex(encodeText(misled.text))}`,
    ]);
  });

  test('encapsulated points of low order, and random blobs', async () => {
    const points = ['00'.repeat(32), `01${'00'.repeat(31)}`, `ec${'ff'.repeat(30)}7f`, 'ff'.repeat(32)];
    for (const point of points) {
      expect(await opened(Buffer.concat([Buffer.from(point, 'hex'), blob.subarray(32)]))).toBeUndefined();
    }
    for (const length of [0, 31, 32, 47, 48, 49, 332, 9000, 65_535]) {
      expect(await opened(randomBytes(length))).toBeUndefined();
    }
  });
});
