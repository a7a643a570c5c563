import { createDecipheriv, createPublicKey, privateDecrypt, constants, verify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { decode, toHex } from '@srup/protocol';
import { bodyToPem, checkProof, pemToBody, proveText, Secret } from '@srup/node';
import { bytesOf, openKeyOf, SESSION, V5, type HttpEvent } from './files.ts';

describe('proofs to the key service (P 8.2)', () => {
  const { key, cases } = V5.extras.pss;
  const { publicKeyPem, privateKeyPem } = V5.keys[key];

  test.each(cases)(
    'the recorded proof of $message holds, and for nothing else',
    ({ message, signatureBase64 }) => {
      expect(checkProof(publicKeyPem, message, signatureBase64)).toBe(true);
      expect(checkProof(publicKeyPem, `${message}0`, signatureBase64)).toBe(false);
      expect(checkProof(V5.keys.other.publicKeyPem, message, signatureBase64)).toBe(false);
    },
  );

  test('a proof of ours has the form of the recorded ones', () => {
    const ours = proveText(new Secret(privateKeyPem), 'b9d077e223834cf6');
    expect(checkProof(publicKeyPem, 'b9d077e223834cf6', ours)).toBe(true);
    expect(ours).toHaveLength(cases[0]!.signatureBase64.replaceAll('\n', '').length);
  });
});

test('a public key travels as the body of its PEM (P 8.1)', () => {
  const { key, body, rebuiltPem } = V5.extras.publicKeyBody;
  expect(pemToBody(V5.keys[key].publicKeyPem)).toBe(body);
  expect(pemToBody(rebuiltPem)).toBe(body);
  // The reference leaves out the newline after the footer; every reader takes both.
  expect(bodyToPem(body)).toBe(`${rebuiltPem}\n`);
});

test('the recorded sealed blob has the parts of P 4.3, and opens', async () => {
  const { vector: id, ...parts } = V5.extras.sealedBlob;
  const vector = V5.vectors.find((one) => one.id === id)!;
  const decoded = decode(bytesOf(vector.hex));
  if (!decoded.ok || decoded.value.message.type !== 'HM_JOIN_RESP')
    throw new Error('the vector is not HM_JOIN_RESP');
  const blob = decoded.value.message.body.sealedNonce;
  const int32 = (value: number) => Buffer.from(Int32Array.of(value).buffer).toString('hex');
  const layout = [
    int32(256),
    parts['encryptedKeyHex'],
    parts['ivHex'],
    int32(parts.cipherLength),
    int32(parts.plainLength),
    parts['cipherHex'],
  ];
  expect(toHex(blob)).toBe(layout.join(''));

  const { privateKeyPem } = V5.keys.recipient;
  const padding = constants.RSA_PKCS1_PADDING;
  const aesKey = privateDecrypt({ key: privateKeyPem, padding }, bytesOf(parts['encryptedKeyHex']!));
  expect(aesKey.toString('hex')).toBe(parts['aesKeyHex']);
  const cipher = createDecipheriv('aes-256-cbc', aesKey, bytesOf(parts['ivHex']!));
  const plaintext = cipher.update(parts['cipherHex']!, 'hex', 'utf8') + cipher.final('utf8');
  expect(plaintext).toBe(parts['plaintext']);

  const opened = await openKeyOf(V5.keys.recipient).open(blob, {
    recipient: 1n,
    header: decoded.value.header,
  });
  expect(Buffer.from(opened!).toString()).toBe(plaintext);
});

/** The parts of a DER value. */
function parts(der: Buffer): Buffer[] {
  const [, content] = cut(der, 0);
  const found: Buffer[] = [];
  for (let at = content; at < der.length; ) {
    const [end] = cut(der, at);
    found.push(der.subarray(at, end));
    at = end;
  }
  return found;
}

/** Where the value at an offset ends, and where its content begins. */
function cut(der: Buffer, at: number): [end: number, content: number] {
  const length = der.readUInt8(at + 1);
  if (length < 0x80) return [at + 2 + length, at + 2];
  const width = length - 0x80;
  const content = at + 2 + width;
  return [content + der.readUIntBE(at + 2, width), content];
}

test('the recorded certificate request names the device and proves its own key (P 8.3)', () => {
  const { pem, subject } = V5.extras.csr;
  const base64 = pem.split('\n').filter((line) => !line.startsWith('-----'));
  const [info, , signature] = parts(Buffer.from(base64.join(''), 'base64'));
  const [, name, key] = parts(info!);
  const texts = parts(name!).map((set) => {
    const [, value] = parts(parts(set)[0]!);
    return value!.subarray(cut(value!, 0)[1]).toString();
  });
  expect(texts.reverse().join()).toBe(subject.replace('subject=', '').replace(/[A-Z]+=/g, ''));
  const publicKey = createPublicKey({ key: key!, format: 'der', type: 'spki' });
  expect(verify('sha256', info!, publicKey, signature!.subarray(cut(signature!, 0)[1] + 1))).toBe(true);
});

describe('the recorded registrations (P 8)', () => {
  /** A device is told the key of its server; the service's own key is in its answer to the server (`c2/`). */
  const calls = (name: string) => SESSION.http.filter(({ url }) => url?.endsWith(`/${name}`) === true);
  const answerOf = ({ response }: HttpEvent) => JSON.parse(response!) as Record<string, string>;
  /** Keys of this run's devices; another run, against the unpatched service, comes first in the file. */
  const known = ({ request }: HttpEvent) => SESSION.keys[request?.['identity'] ?? ''] !== undefined;
  const origin = ({ url }: HttpEvent) => new URL(url!).origin;

  test("validate: the device signs its own identity, the service its server's identity", () => {
    const validations = calls('validate').filter(known);
    expect(validations.length).toBeGreaterThan(5);
    for (const call of validations) {
      const { identity, signature } = call.request!;
      expect(checkProof(SESSION.keys[identity!]!.publicKeyPem, identity!, signature!)).toBe(true);
      const { key } = answerOf(calls('c2/').find((one) => origin(one) === origin(call))!);
      const servicePem = bodyToPem(key!);
      const answer = answerOf(call);
      expect(checkProof(servicePem, answer['identity']!, answer['signature']!)).toBe(true);
    }
  });

  test("access: the device signs the text of its request's PEM", () => {
    const requests = calls('access').filter(known);
    expect(requests.length).toBeGreaterThan(5);
    for (const { request } of requests) {
      const csr = Buffer.from(request!['csr']!, 'base64').toString();
      expect(csr).toMatch(/^-----BEGIN CERTIFICATE REQUEST-----\n/);
      const { publicKeyPem } = SESSION.keys[request!['identity']!]!;
      expect(checkProof(publicKeyPem, csr, request!['signature']!)).toBe(true);
      expect(checkProof(publicKeyPem, `${csr}\n`, request!['signature']!)).toBe(false);
    }
  });

  test('get_key: the answer is the base64 of the PEM', () => {
    for (const { url, response } of SESSION.http.filter(({ url }) => url?.includes('/get_key/') === true)) {
      const pem = Buffer.from(response!, 'base64').toString();
      const id = url!.split('/').at(-1)!;
      expect(pemToBody(pem)).toBe(pemToBody(SESSION.keys[id]!.publicKeyPem));
    }
  });
});
