/** Threat 28: everything that was ever mistaken for a signature. */
import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  privateDecrypt,
  privateEncrypt,
  sign,
} from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { encode, type SuiteName } from '@srup/protocol';
import { importSignKey, importVerifyKey, KeyError } from '@srup/node';
import {
  action,
  ALL_SUITES,
  createParty,
  decoded,
  DEVICE,
  deviceTopic,
  newToken,
  Receiver,
  send,
  SERVER,
  verdictsWithout,
  type Party,
} from './scene.ts';

const TYPE_OFFSET = 1;

const servers = new Map<SuiteName, Party>();
const others = new Map<SuiteName, Party>();

beforeAll(async () => {
  for (const suite of ALL_SUITES) {
    servers.set(suite, await createParty(SERVER, suite));
    others.set(suite, await createParty(SERVER, suite));
  }
});

/** A genuine message and the judgement of the same message under another signature. */
async function subject(suite: SuiteName) {
  const bytes = await send(servers.get(suite)!, DEVICE, 7n, action());
  const { message, signature } = decoded(bytes);
  const { signedBytes, assemble } = encode(message);
  const judge = (other: Uint8Array): string => judgeBytes(suite, assemble(other));
  return { bytes, message, signature, signedBytes, judge };
}

function judgeBytes(suite: SuiteName, bytes: Uint8Array): string {
  return new Receiver('device', DEVICE, [servers.get(suite)!]).verdict(bytes, deviceTopic(DEVICE));
}

describe.each(ALL_SUITES)('%s', (suite) => {
  test('control: the genuine signature is accepted', async () => {
    const { judge, signature } = await subject(suite);
    expect(judge(signature)).toBe('accepted');
  });

  test('empty, zeros, ones, random', async () => {
    const { judge, signature } = await subject(suite);
    const { length } = signature;
    for (const none of [0, 1].flatMap((size) => [new Uint8Array(size), new Uint8Array(size).fill(0xff)])) {
      expect(judge(none)).toBe('AUTH_SIGNATURE');
    }
    for (const filler of [0x00, 0x01, 0x5a, 0xff]) {
      expect(judge(new Uint8Array(length).fill(filler))).toBe('AUTH_SIGNATURE');
    }
  });

  test("without the check, no signature, a stranger's, and a genuine one of another type are all accepted", async () => {
    const { message, signedBytes } = await subject(suite);
    const stranger = importSignKey(others.get(suite)!.keys.signing.privatePem);
    const { assemble } = encode(message);
    const draft = { type: 'TERMINATE_CMD', token: newToken(), body: {} } as const;
    const retyped = await send(servers.get(suite)!, DEVICE, 8n, draft);
    retyped[TYPE_OFFSET] = 0x13; // DEREGISTER_CMD
    const forged = [assemble(new Uint8Array(0)), assemble(stranger.sign(signedBytes)), retyped];
    const arrivals = forged.map((bytes) => [bytes, deviceTopic(DEVICE)] as const);
    const checks = ['signature', 'signatureLength', 'replayWindow'] as const;
    const verdicts = await verdictsWithout(checks, 'device', DEVICE, [servers.get(suite)!], arrivals);
    expect(verdicts).toEqual(['accepted', 'accepted', 'accepted']);
    for (const bytes of forged) expect(judgeBytes(suite, bytes)).toBe('AUTH_SIGNATURE');
  });

  test('truncated, extended, shifted, repeated', async () => {
    const { judge, signature } = await subject(suite);
    const { length } = signature;
    const padded = (size: number, at: number) => {
      const other = new Uint8Array(size);
      other.set(signature, at);
      return other;
    };
    const wrong = [
      signature.subarray(0, length - 1),
      signature.subarray(1),
      signature.subarray(0, length >> 1),
      padded(length + 1, 0),
      padded(length + 1, 1),
      padded(2 * length, 0),
      Uint8Array.from([...signature, ...signature]),
    ];
    for (const other of wrong) expect(judge(other)).toBe('AUTH_SIGNATURE');
  });

  test('every byte of the signature counts', async () => {
    const { judge, signature } = await subject(suite);
    for (let at = 0; at < signature.length; at += Math.ceil(signature.length / 200)) {
      const other = signature.slice();
      other[at] = other[at]! ^ 0x10;
      expect([at, judge(other)]).toEqual([at, 'AUTH_SIGNATURE']);
    }
  });

  test('made with another key of the same suite', async () => {
    const { judge, signedBytes } = await subject(suite);
    const other = importSignKey(others.get(suite)!.keys.signing.privatePem);
    expect(judge(other.sign(signedBytes))).toBe('AUTH_SIGNATURE');
  });

  test('made with a key of another suite', async () => {
    const { judge, signedBytes } = await subject(suite);
    for (const wrong of ALL_SUITES.filter((name) => name !== suite)) {
      const key = importSignKey(servers.get(wrong)!.keys.signing.privatePem);
      expect([wrong, judge(key.sign(signedBytes))]).toEqual([wrong, 'AUTH_SIGNATURE']);
    }
  });

  test('genuine, of another message', async () => {
    const { judge } = await subject(suite);
    expect(judge((await subject(suite)).signature)).toBe('AUTH_SIGNATURE');
  });

  test('genuine, with any byte of what it covers changed', async () => {
    const { bytes, message, signature } = await subject(suite);
    const signatureAt = 20 + message.token.length;
    for (let at = 2; at < bytes.length; at++) {
      if (at >= signatureAt && at < signatureAt + 2 + signature.length) continue;
      const other = bytes.slice();
      other[at] = other[at]! ^ 0x01;
      expect([at, judgeBytes(suite, other)]).not.toEqual([at, 'accepted']);
    }
  });

  test('genuine, with the type changed to one of the same form', async () => {
    const draft = { type: 'TERMINATE_CMD', token: new Uint8Array(4).fill(0x41), body: {} } as const;
    const bytes = await send(servers.get(suite)!, DEVICE, 7n, draft);
    expect(judgeBytes(suite, bytes)).toBe('accepted');
    for (const code of [0x03, 0x06, 0x13]) {
      const other = bytes.slice();
      other[TYPE_OFFSET] = code;
      expect([code, judgeBytes(suite, other)]).toEqual([code, 'AUTH_SIGNATURE']);
    }
  });
});

describe('rsa-sha256: PKCS#1 blocks that are nearly right', () => {
  const MODULUS_BYTES = 256;
  /** DER of DigestInfo with SHA-256 up to the hash (RFC 8017, 9.2). */
  const SHA256_PREFIX = Buffer.from('3031300d060960864801650304020105000420', 'hex');

  /** The "signature" whose block is exactly this. */
  function signatureOf(block: Buffer): Uint8Array {
    const key = createPrivateKey(servers.get('rsa-sha256')!.keys.signing.privatePem.reveal());
    return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, block);
  }

  function blockOf(
    digestInfo: Buffer,
    { type = 1, filler = 0xff, start = 0, fill = -1, rest = 0 } = {},
  ): Buffer {
    const block = Buffer.alloc(MODULUS_BYTES);
    const paddingBytes = fill < 0 ? MODULUS_BYTES - 3 - digestInfo.length - rest : fill;
    block[0] = start;
    block[1] = type;
    block.fill(filler, 2, 2 + paddingBytes);
    digestInfo.copy(block, 3 + paddingBytes);
    return block;
  }

  const der = (tag: number, ...parts: Buffer[]): Buffer => {
    const content = Buffer.concat(parts);
    return Buffer.concat([Buffer.from([tag, content.length]), content]);
  };
  const OID = Buffer.from('0609608648016503040201', 'hex');
  const NULL = Buffer.from('0500', 'hex');

  const crafted: [string, (hash: Buffer) => Buffer][] = [
    [
      'short padding and junk behind the hash',
      (hash) => blockOf(Buffer.concat([SHA256_PREFIX, hash]), { fill: 8 }),
    ],
    ['one junk byte behind the hash', (hash) => blockOf(Buffer.concat([SHA256_PREFIX, hash]), { rest: 1 })],
    [
      'junk in the parameters',
      (hash) => blockOf(der(0x30, der(0x30, OID, der(0x04, Buffer.alloc(20, 7))), der(0x04, hash))),
    ],
    [
      'junk in the NULL',
      (hash) => blockOf(der(0x30, der(0x30, OID, der(0x05, Buffer.alloc(9, 7))), der(0x04, hash))),
    ],
    [
      'junk behind the NULL',
      (hash) => blockOf(der(0x30, der(0x30, OID, NULL, der(0x04, Buffer.alloc(9, 7))), der(0x04, hash))),
    ],
    [
      'junk behind the hash, inside the DER',
      (hash) => blockOf(der(0x30, der(0x30, OID, NULL), der(0x04, hash), der(0x04, Buffer.alloc(9)))),
    ],
    ['no NULL', (hash) => blockOf(der(0x30, der(0x30, OID), der(0x04, hash)))],
    [
      'a length in long form',
      (hash) => blockOf(Buffer.concat([Buffer.from('308131', 'hex'), SHA256_PREFIX.subarray(2), hash])),
    ],
    ['the hash alone', (hash) => blockOf(hash)],
    ['an empty DigestInfo', () => blockOf(Buffer.alloc(0))],
    [
      'the hash of SHA-1',
      (hash) =>
        blockOf(Buffer.concat([Buffer.from('3021300906052b0e03021a05000414', 'hex'), hash.subarray(0, 20)])),
    ],
    ['block type 2', (hash) => blockOf(Buffer.concat([SHA256_PREFIX, hash]), { type: 2 })],
    ['block type 0', (hash) => blockOf(Buffer.concat([SHA256_PREFIX, hash]), { type: 0, filler: 0 })],
    ['padding that is not ff', (hash) => blockOf(Buffer.concat([SHA256_PREFIX, hash]), { filler: 0xfe })],
    ['a first byte that is not 0', (hash) => blockOf(Buffer.concat([SHA256_PREFIX, hash]), { start: 1 })],
  ];

  test('control: a block made by hand as RFC 8017 says is accepted', async () => {
    const { judge, signedBytes, signature } = await subject('rsa-sha256');
    const hash = createHash('sha256').update(signedBytes).digest();
    const block = blockOf(Buffer.concat([SHA256_PREFIX, hash]));
    expect(Buffer.from(signatureOf(block)).equals(signature)).toBe(true);
    expect(judge(signatureOf(block))).toBe('accepted');
  });

  test.each(crafted)('%s', async (_what, craft) => {
    const { judge, signedBytes } = await subject('rsa-sha256');
    const block = craft(createHash('sha256').update(signedBytes).digest());
    expect(judge(signatureOf(block))).toBe('AUTH_SIGNATURE');
  });

  test('the right number, and one modulus more', async () => {
    const { publicPem } = servers.get('rsa-sha256')!.keys.signing;
    const modulus = BigInt(
      `0x${Buffer.from(createPublicKey(publicPem).export({ format: 'jwk' }).n!, 'base64url').toString('hex')}`,
    );
    let tried = 0;
    for (let round = 0; round < 200 && tried === 0; round++) {
      const { judge, signature } = await subject('rsa-sha256');
      const larger = BigInt(`0x${Buffer.from(signature).toString('hex')}`) + modulus;
      if (larger >> 2048n !== 0n) continue; // does not fit its length: try another message
      tried++;
      expect(judge(Buffer.from(larger.toString(16).padStart(512, '0'), 'hex'))).toBe('AUTH_SIGNATURE');
    }
    expect(tried).toBe(1);
  });

  test('other signatures of the right key: PSS, SHA-1, SHA-512', async () => {
    const { judge, signedBytes } = await subject('rsa-sha256');
    const key = createPrivateKey(servers.get('rsa-sha256')!.keys.signing.privatePem.reveal());
    expect(judge(sign('sha256', signedBytes, key))).toBe('accepted');
    expect(judge(sign('sha1', signedBytes, key))).toBe('AUTH_SIGNATURE');
    expect(judge(sign('sha512', signedBytes, key))).toBe('AUTH_SIGNATURE');
    const pss = sign('sha256', signedBytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING });
    expect(judge(pss)).toBe('AUTH_SIGNATURE');
  });

  test('a key with a low exponent, under which blocks can be forged without the private key, is refused', () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 });
    // Control: it works as a key, so it is the exponent that is refused.
    const block = Buffer.alloc(MODULUS_BYTES, 1).fill(0, 0, 1);
    const turned = privateEncrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, block);
    expect(privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, turned)).toHaveLength(
      MODULUS_BYTES,
    );
    const refused = () => importVerifyKey(publicKey.export({ format: 'pem', type: 'spki' }).toString());
    expect(refused).toThrow(KeyError);
    expect(refused).toThrow(/exponent 3/);
  });
});

describe('ed25519: the malleable half', () => {
  /** Order of the base point: S and S + L satisfy the same equation (RFC 8032, 5.1.7). */
  const ORDER = (1n << 252n) + 27742317777372353535851937790883648493n;

  test('S + L is refused', async () => {
    const { judge, signature } = await subject('ed25519');
    const little = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
    const shifted = (little(signature.subarray(32)) + ORDER).toString(16).padStart(64, '0');
    const other = Buffer.concat([signature.subarray(0, 32), Buffer.from(shifted, 'hex').reverse()]);
    expect(judge(other)).toBe('AUTH_SIGNATURE');
    expect(judge(signature)).toBe('accepted');
  });
});
