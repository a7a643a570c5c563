/** Our own vectors: the suites that the published reference does not have must stay what they are on the wire. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { authenticate, decode, encode, parseIdentity, toHex, type SuiteName } from '@srup/protocol';
import { generateKeys, importOpenKey, importSignKey, importVerifyKey, Secret } from '@srup/node';
import { bytesOf, type PemPair } from './files.ts';

interface SuiteVectors {
  readonly sender: { readonly signing: PemPair };
  readonly recipient: { readonly sealing: PemPair };
  readonly deterministic: boolean;
  readonly messages: readonly {
    readonly type: string;
    readonly hex: string;
    readonly signedBytesHex: string;
    readonly signatureHex: string;
    readonly plaintext?: string;
  }[];
}

interface SuitesFile {
  readonly sender: string;
  readonly recipient: string;
  readonly suites: Readonly<Record<string, SuiteVectors>>;
}

const FILE = JSON.parse(
  readFileSync(new URL('../../vectors/srup-suites.json', import.meta.url), 'utf8'),
) as SuitesFile;

describe.each(Object.entries(FILE.suites))('%s', (suite, { sender, recipient, deterministic, messages }) => {
  test.each(messages)('$type is read, verified and written as recorded', (vector) => {
    const result = decode(bytesOf(vector.hex));
    if (!result.ok) throw new Error(result.code);
    const { message, signature } = result.value;
    expect([message.type, message.sender]).toEqual([vector.type, parseIdentity(FILE.sender)]);
    const key = importVerifyKey(sender.signing.publicKeyPem);
    expect([key.suite, authenticate(result.value, key).ok]).toEqual([suite, true]);
    expect(toHex(result.value.signedBytes())).toBe(vector.signedBytesHex);
    expect(toHex(encode(message).assemble(signature))).toBe(vector.hex);
    const again = importSignKey(new Secret(sender.signing.privateKeyPem)).sign(result.value.signedBytes());
    expect(toHex(again) === vector.signatureHex).toBe(deterministic);
    expect(key.verify(result.value.signedBytes(), again)).toBe(true);
  });

  test('the sealed nonce opens in its message, for its recipient', async () => {
    const vector = messages.find(({ plaintext }) => plaintext !== undefined)!;
    const result = decode(bytesOf(vector.hex));
    if (!result.ok || result.value.message.type !== 'HM_JOIN_RESP') throw new Error('no HM_JOIN_RESP');
    const { privateKeyPem, publicKeyPem } = recipient.sealing;
    const { signing } = await generateKeys('ed25519'); // not used to open
    const sealing = { privatePem: new Secret(privateKeyPem), publicPem: publicKeyPem };
    const openKey = importOpenKey({ suite: suite as SuiteName, signing, sealing });
    const context = { recipient: parseIdentity(FILE.recipient)!, header: result.value.header };
    const opened = await openKey.open(result.value.message.body.sealedNonce, context);
    expect(Buffer.from(opened!).toString()).toBe(vector.plaintext);
  });
});
