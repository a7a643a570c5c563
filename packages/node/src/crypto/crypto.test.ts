import { generateKeyPairSync, createPublicKey } from 'node:crypto';
import { inspect } from 'node:util';
import { encodeText, type SuiteName } from '@srup/protocol';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  bodyToPem,
  checkProof,
  generateKeys,
  importOpenKey,
  importSealKey,
  importSignKey,
  importVerifyKey,
  KeyError,
  pemToBody,
  proveText,
  type KeySet,
} from './index.ts';
import { testKeys } from '../../../protocol/test/contracts/keys.ts';
import { Secret } from '../secret.ts';

const SUITES: SuiteName[] = ['rsa-sha256', 'ed25519', 'ml-dsa-65'];
const DATA = encodeText('what is signed');
const NONCE = encodeText('636dd7ad8c004d09b2c391d0cc3aa2b0');
const CONTEXT = { recipient: 0xb9d077e223834cf6n, header: encodeText('header of the message') };
const keys = new Map<SuiteName, { own: KeySet; other: KeySet }>();

beforeAll(async () => {
  for (const suite of SUITES)
    keys.set(suite, { own: await generateKeys(suite), other: await generateKeys(suite) });
});

const keysOf = (suite: SuiteName) => keys.get(suite)!;

function publicPems({ signing, sealing }: KeySet) {
  return { signing: signing.publicPem, ...(sealing && { sealing: sealing.publicPem }) };
}

function faultOf(act: () => unknown): unknown {
  try {
    act();
  } catch (fault) {
    return fault;
  }
  return undefined;
}

function codeOf(act: () => unknown): string {
  const fault = faultOf(act);
  if (fault === undefined) return 'accepted';
  if (fault instanceof KeyError) return fault.code;
  throw fault as Error;
}

for (const suite of SUITES)
  testKeys(suite, {
    suite,
    make: async () => {
      const made = await generateKeys(suite);
      return {
        sign: importSignKey(made.signing.privatePem),
        verify: importVerifyKey(made.signing.publicPem),
        seal: importSealKey(suite, publicPems(made)),
        open: importOpenKey(made),
      };
    },
  });

describe.each(SUITES)('suite %s', (suite) => {
  test('signs and verifies, off the calling thread where that takes long', async () => {
    const { own } = keysOf(suite);
    const signKey = importSignKey(own.signing.privatePem);
    const verifyKey = importVerifyKey(own.signing.publicPem);
    expect([signKey.suite, verifyKey.suite]).toEqual([suite, suite]);
    expect(verifyKey.verify(DATA, signKey.sign(DATA))).toBe(true);
    let isDone = false;
    const aside = signKey.signAside(DATA).finally(() => (isDone = true));
    // What was signed on this thread would be there after its microtasks; another thread's answer needs the event loop.
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    expect(isDone).toBe(suite === 'ed25519'); // quicker than the way to the other thread
    const signature = await aside;
    expect(verifyKey.verify(DATA, signature)).toBe(true);
    let isVerified = false;
    const verifying = verifyKey.verifyAside(DATA, signature).finally(() => (isVerified = true));
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    expect(isVerified).toBe(suite === 'rsa-sha256'); // with RSA verifying is the quick one
    expect(await verifying).toBe(true);
  });

  test('a sealed nonce has the length that the wire expects (P 4.3, 4.4)', async () => {
    const sealed = await importSealKey(suite, publicPems(keysOf(suite).own)).seal(NONCE, CONTEXT);
    expect(sealed).toHaveLength(suite === 'rsa-sha256' ? 332 : 32 + NONCE.length + 16);
  });

  test('proves a text to the key service and checks the proof (P 8.2)', () => {
    const { own, other } = keysOf(suite);
    const proof = proveText(own.signing.privatePem, 'b9d077e223834cf6');
    expect(checkProof(own.signing.publicPem, 'b9d077e223834cf6', proof)).toBe(true);
    const broken = proof.replace(/.{60}/g, '$&\n');
    expect(checkProof(own.signing.publicPem, 'b9d077e223834cf6', broken)).toBe(true);
    expect(checkProof(own.signing.publicPem, 'b9d077e223834cf7', proof)).toBe(false);
    expect(checkProof(other.signing.publicPem, 'b9d077e223834cf6', proof)).toBe(false);
    for (const odd of ['', '=', '%%%', proof.slice(4), `${proof}AAAA`]) {
      expect(checkProof(own.signing.publicPem, 'b9d077e223834cf6', odd)).toBe(false);
    }
  });

  test('a public key survives the way to the key service and back (P 8.1)', () => {
    const { publicPem } = keysOf(suite).own.signing;
    const body = pemToBody(publicPem);
    expect(body).not.toMatch(/\s|-/);
    expect(bodyToPem(body)).toBe(publicPem);
    expect(bodyToPem(body.replace(/.{60}/g, '$&\r\n'))).toBe(publicPem);
  });
});

test.each(['ed25519', 'ml-dsa-65'] as const)(
  'a field sealed under %s is bound to its message and recipient (P 4.4)',
  async (suite) => {
    const { own } = keysOf(suite);
    const sealed = await importSealKey(suite, publicPems(own)).seal(NONCE, CONTEXT);
    const open = importOpenKey(own);
    expect(await open.open(sealed, { ...CONTEXT, recipient: 1n })).toBeUndefined();
    expect(await open.open(sealed, { ...CONTEXT, header: encodeText('header of another') })).toBeUndefined();
    expect(await open.open(sealed, CONTEXT)).toBeDefined();
  },
);

describe('keys that are refused', () => {
  const pem = (modulusLength: number, publicExponent = 65537) => {
    const pair = generateKeyPairSync('rsa', { modulusLength, publicExponent });
    return {
      publicPem: pair.publicKey.export({ format: 'pem', type: 'spki' }).toString(),
      privatePem: new Secret(pair.privateKey.export({ format: 'pem', type: 'pkcs1' }).toString()),
    };
  };

  test('short moduli and low exponents are weak; 2048 bits and 65537 are not (P 4.2)', () => {
    for (const [bits, exponent, code] of [
      [1024, 65537, 'KEY_WEAK'],
      [2040, 65537, 'KEY_WEAK'],
      [2048, 3, 'KEY_WEAK'],
      [2048, 65539, 'KEY_WEAK'],
      [2048, 65537, 'accepted'],
    ] as const) {
      const { publicPem, privatePem } = pem(bits, exponent);
      expect([bits, exponent, codeOf(() => importVerifyKey(publicPem))]).toEqual([bits, exponent, code]);
      expect(codeOf(() => importSignKey(privatePem))).toBe(code);
      expect(codeOf(() => importSealKey('rsa-sha256', { signing: publicPem }))).toBe(code);
      expect(codeOf(() => checkProof(publicPem, 'x', ''))).toBe(code);
    }
  });

  test('a modulus that is even, which cannot be sealed to, is weak', () => {
    const withModulus = (hex: string) => {
      const n = Buffer.from(hex, 'hex').toString('base64url');
      const key = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' });
      return key.export({ format: 'pem', type: 'spki' }).toString();
    };
    expect(codeOf(() => importVerifyKey(withModulus(`${'ff'.repeat(255)}fe`)))).toBe('KEY_WEAK');
    expect(codeOf(() => importVerifyKey(withModulus('ff'.repeat(256))))).toBe('accepted');
  });

  const okp = (crv: string, hex: string) =>
    createPublicKey({
      key: { kty: 'OKP', crv, x: Buffer.from(hex, 'hex').toString('base64url') },
      format: 'jwk',
    })
      .export({ format: 'pem', type: 'spki' })
      .toString();

  test('points of low order are weak', () => {
    const points = [
      '00'.repeat(32),
      `${'00'.repeat(31)}80`,
      `01${'00'.repeat(31)}`,
      `ec${'ff'.repeat(31)}`,
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    ];
    for (const point of points) expect(codeOf(() => importVerifyKey(okp('Ed25519', point)))).toBe('KEY_WEAK');
    for (const point of ['00'.repeat(32), `01${'00'.repeat(31)}`]) {
      const pems = { signing: keysOf('ed25519').own.signing.publicPem, sealing: okp('X25519', point) };
      expect(codeOf(() => importSealKey('ed25519', pems))).toBe('KEY_WEAK');
    }
    expect(codeOf(() => importVerifyKey(keysOf('ed25519').own.signing.publicPem))).toBe('accepted');
  });

  test('kinds that no suite uses are unsupported', () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const x25519 = generateKeyPairSync('x25519');
    const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 });
    for (const { publicKey, privateKey } of [ec, x25519, pss]) {
      const publicPem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
      const privatePem = new Secret(privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
      expect(codeOf(() => importVerifyKey(publicPem))).toBe('KEY_UNSUPPORTED');
      expect(codeOf(() => importSignKey(privatePem))).toBe('KEY_UNSUPPORTED');
    }
    const { signing } = keysOf('ed25519').own;
    expect(codeOf(() => importSealKey('rsa-sha256', { signing: signing.publicPem }))).toBe('KEY_UNSUPPORTED');
    const sealing = keysOf('rsa-sha256').own.signing.publicPem;
    expect(codeOf(() => importSealKey('ed25519', { signing: signing.publicPem, sealing }))).toBe(
      'KEY_UNSUPPORTED',
    );
  });

  test('what is not a key is malformed', () => {
    const { signing } = keysOf('ed25519').own;
    const body = pemToBody(signing.publicPem);
    const trailing = Buffer.concat([Buffer.from(body, 'base64'), Buffer.alloc(3)]).toString('base64');
    const odd = ['', 'x', signing.privatePem.reveal(), bodyToPem('AAAA'), bodyToPem(trailing)];
    odd.push(
      signing.publicPem + signing.publicPem,
      signing.publicPem.replace('BEGIN PUBLIC', 'BEGIN RSA PUBLIC'),
    );
    for (const text of odd) expect(codeOf(() => importVerifyKey(text))).toBe('KEY_MALFORMED');
    for (const text of ['', 'x', signing.publicPem]) {
      expect(codeOf(() => importSignKey(new Secret(text)))).toBe('KEY_MALFORMED');
    }
    for (const text of ['', 'a', '####', 'AAAA===='])
      expect(codeOf(() => bodyToPem(text))).toBe('KEY_MALFORMED');
    expect(codeOf(() => importSealKey('ed25519', { signing: signing.publicPem }))).toBe('KEY_MALFORMED');
  });

  test('no refusal shows a private key', () => {
    const text = keysOf('ed25519').own.signing.privatePem.reveal();
    const letters = text.split('\n')[1]!;
    const refusals = [
      () => importVerifyKey(text),
      () => importSignKey(new Secret(text.replace(letters, `AAAA${letters}`))),
    ];
    for (const refusal of refusals) {
      const fault = faultOf(refusal);
      expect(fault).toBeInstanceOf(KeyError);
      expect(inspect(fault, { depth: null, showHidden: true })).not.toContain(letters);
    }
  });
});
