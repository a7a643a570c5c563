/** Codec and cryptography, beside the bare calls of node:crypto that they are made of. */
import * as crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  authenticate,
  decode,
  encode,
  encodeText,
  fromHex,
  LAYOUTS,
  SUITES,
  type Decoded,
  type Message,
  type SuiteName,
} from '@srup/protocol';
import {
  generateKeys,
  importOpenKey,
  importSealKey,
  importSignKey,
  importVerifyKey,
  type KeySet,
} from '@srup/node';
import { measure, type Task } from './measure.ts';
import type { Section } from './report.ts';

/** Messages a second on one core: of all types in turn, and of the longest text. */
const DECODE_TARGETS = [2_000_000, 1_000_000] as const;
const ENCODE_TARGET = 1_000_000;
/** Time of decode and verify over that of the bare verify. */
const VERIFY_TARGET = 1.1;

interface Recorded {
  readonly vectors: readonly { type: string; token?: string; hex: string }[];
}

/** One recorded message of every type, with a token of the usual length. */
function recordedMessages(): Uint8Array[] {
  const file = new URL('../vectors/srup-v5.json', import.meta.url);
  const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as Recorded;
  return LAYOUTS.map(({ type }) => {
    const vector = vectors.find((one) => one.type === type && one.token?.length === 36);
    return given(fromHex(vector?.hex ?? ''));
  });
}

function given<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('the vectors are not as expected');
  return value;
}

function decoded(bytes: Uint8Array): Decoded {
  const result = decode(bytes);
  if (!result.ok) throw new Error(`refused: ${result.code}`);
  return result.value;
}

/** Keeps results alive, so that no work is left out as useless. */
const kept: { result?: unknown } = {};

async function codec(): Promise<Section> {
  const mix = recordedMessages();
  const values = mix.map(decoded);
  const initiate = given(mix.find((bytes) => bytes[1] === 1));
  const rates = await measure([
    {
      name: `decode, ${mix.length} types in turn`,
      operations: mix.length,
      run: () => {
        for (const bytes of mix) kept.result = decode(bytes);
      },
    },
    { name: 'decode INITIATE', run: () => (kept.result = decode(initiate)) },
    {
      name: `encode, ${mix.length} types in turn`,
      operations: mix.length,
      run: () => {
        for (const { message, signature } of values) kept.result = encode(message).assemble(signature);
      },
    },
    { name: 'encode INITIATE', run: () => (kept.result = encode(INITIATE).assemble(SIGNATURE)) },
  ]);
  const targets = rates.map(({ name, perSecond }, at) => {
    const target = DECODE_TARGETS[at] ?? ENCODE_TARGET;
    return {
      what: `${name}: over ${target.toLocaleString('en')} a second`,
      measured: Math.round(perSecond).toLocaleString('en'),
      met: perSecond > target,
    };
  });
  return { title: 'Codec', rates, targets };
}

const INITIATE: Message = {
  type: 'INITIATE',
  sequence: 42n,
  sender: 0xb9d077e223834cf6n,
  token: encodeText('01939a4e-7b1c-7d2e-8f3a-4b5c6d7e8f90'),
  body: { url: 'https://updates.example/firmware/2.4.1.bin', digest: 'c3bf47ea'.repeat(8) },
};
const SIGNATURE = new Uint8Array(64);
const NONCE = encodeText('636dd7ad8c004d09b2c391d0cc3aa2b0');
const CONTEXT = { recipient: 0x27ab54d670b64be2n, header: encode(INITIATE).header };

async function signatures(suite: SuiteName, { signing }: KeySet): Promise<Section[]> {
  const hash = suite === 'rsa-sha256' ? 'sha256' : null;
  const signKey = importSignKey(signing.privatePem);
  const verifyKey = importVerifyKey(signing.publicPem);
  const encoded = encode(INITIATE);
  const { signedBytes } = encoded;
  const signature = signKey.sign(signedBytes);
  const bytes = encoded.assemble(signature);
  const privateKey = crypto.createPrivateKey(signing.privatePem.reveal());
  const publicKey = crypto.createPublicKey(signing.publicPem);
  const verifying = await measure([
    {
      name: 'crypto.verify alone',
      run: () => (kept.result = crypto.verify(hash, signedBytes, publicKey, signature)),
    },
    { name: 'decode and authenticate', run: () => (kept.result = authenticate(decoded(bytes), verifyKey)) },
  ]);
  const ratio = verifying[1]?.ratio ?? NaN;
  const target = {
    what: `decode and authenticate: at most ${VERIFY_TARGET} x crypto.verify`,
    measured: ratio.toFixed(3),
    met: ratio <= VERIFY_TARGET,
  };
  const encodeAndSign = (): void => {
    const message = encode(INITIATE);
    kept.result = message.assemble(signKey.sign(message.signedBytes));
  };
  const signingRates = await measure([
    { name: 'crypto.sign alone', run: () => (kept.result = crypto.sign(hash, signedBytes, privateKey)) },
    { name: 'encode and sign', run: encodeAndSign },
    {
      name: 'encode and signAside, one at a time',
      run: () => signKey.signAside(encode(INITIATE).signedBytes),
    },
  ]);
  return [
    { title: `${suite}: verify INITIATE`, rates: verifying, targets: [target] },
    { title: `${suite}: sign INITIATE`, rates: signingRates },
  ];
}

async function sealing(suite: SuiteName, keys: KeySet): Promise<Section[]> {
  const publicPems = {
    signing: keys.signing.publicPem,
    ...(keys.sealing && { sealing: keys.sealing.publicPem }),
  };
  const sealKey = importSealKey(suite, publicPems);
  const openKey = importOpenKey(keys);
  const sealed = await sealKey.seal(NONCE, CONTEXT);
  const bare = SUITES[suite].sealing === 'rsa-aes-cbc' ? bareRsa(keys) : bareX25519();
  const title = `${suite}: ${SUITES[suite].sealing}`;
  return [
    {
      title: `${title}, seal a nonce`,
      rates: await measure([bare.seal, { name: 'seal', run: () => sealKey.seal(NONCE, CONTEXT) }]),
    },
    {
      title: `${title}, open it`,
      rates: await measure([bare.open, { name: 'open', run: () => openKey.open(sealed, CONTEXT) }]),
    },
  ];
}

/** The primitives of P 4.3 alone. */
function bareRsa({ signing }: KeySet): { seal: Task; open: Task } {
  const padding = crypto.constants.RSA_PKCS1_PADDING;
  const publicKey = crypto.createPublicKey(signing.publicPem);
  const privateKey = crypto.createPrivateKey(signing.privatePem.reveal());
  const aesKey = crypto.randomBytes(32);
  const iv = crypto.randomBytes(16);
  const block = crypto.publicEncrypt({ key: publicKey, padding }, aesKey);
  const cipher = crypto.createCipheriv('aes-256-cbc', aesKey, iv);
  const ciphertext = Buffer.concat([cipher.update(NONCE), cipher.final()]);
  const seal = (): void => {
    const one = crypto.createCipheriv('aes-256-cbc', aesKey, iv);
    kept.result = [crypto.publicEncrypt({ key: publicKey, padding }, aesKey), one.update(NONCE), one.final()];
  };
  const open = (): void => {
    const key = crypto.privateDecrypt({ key: privateKey, padding }, block);
    const one = crypto.createDecipheriv('aes-256-cbc', key, iv);
    kept.result = [one.update(ciphertext), one.final()];
  };
  return { seal: { name: 'RSA and AES alone', run: seal }, open: { name: 'RSA and AES alone', run: open } };
}

/** The primitives of P 4.4 alone: a key agreement and an AEAD. */
function bareX25519(): { seal: Task; open: Task } {
  const options = { authTagLength: 16 };
  const peer = crypto.generateKeyPairSync('x25519');
  const own = crypto.generateKeyPairSync('x25519');
  const key = crypto.randomBytes(32);
  const iv = crypto.randomBytes(12);
  const seal = (): void => {
    const { privateKey } = crypto.generateKeyPairSync('x25519');
    const shared = crypto.diffieHellman({ privateKey, publicKey: peer.publicKey });
    const cipher = crypto
      .createCipheriv('chacha20-poly1305', shared, iv, options)
      .setAAD(CONTEXT.header, { plaintextLength: NONCE.length });
    kept.result = [cipher.update(NONCE), cipher.final(), cipher.getAuthTag()];
  };
  const cipher = crypto
    .createCipheriv('chacha20-poly1305', key, iv, options)
    .setAAD(CONTEXT.header, { plaintextLength: NONCE.length });
  const ciphertext = Buffer.concat([cipher.update(NONCE), cipher.final()]);
  const tag = cipher.getAuthTag();
  const open = (): void => {
    kept.result = crypto.diffieHellman({ privateKey: own.privateKey, publicKey: peer.publicKey });
    const decipher = crypto
      .createDecipheriv('chacha20-poly1305', key, iv, options)
      .setAAD(CONTEXT.header, { plaintextLength: NONCE.length });
    kept.result = [decipher.setAuthTag(tag).update(ciphertext), decipher.final()];
  };
  return {
    seal: { name: 'X25519 and AEAD alone', run: seal },
    open: { name: 'X25519 and AEAD alone', run: open },
  };
}

export async function benchmark(): Promise<Section[]> {
  const sections = [await codec()];
  for (const suite of Object.keys(SUITES) as SuiteName[]) {
    const keys = await generateKeys(suite);
    sections.push(...(await signatures(suite, keys)), ...(await sealing(suite, keys)));
  }
  return sections;
}
