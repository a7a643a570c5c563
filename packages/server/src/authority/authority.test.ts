import { spawnSync } from 'node:child_process';
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  X509Certificate,
  type KeyObject,
} from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeys, systemClock, systemRandom, type KeySet } from '@srup/node';
import { parseIdentity, type Clock } from '@srup/protocol';
import { beforeAll, describe, expect, test } from 'vitest';
import { makeAuthority } from '../../test/authority.ts';
import { Extension, Pkcs10CertificateRequestGenerator } from '../../test/x509.ts';
import { isMissing } from '../../../../scripts/system-programs.ts';
import { openAuthority, type Authority } from './authority.ts';
import { makeTlsKey } from './keys.ts';

const ID = parseIdentity('b9d077e223834cf6')!;
const DAY = 86_400_000;
const vectors = JSON.parse(
  readFileSync(new URL('../../../../vectors/srup-v5.json', import.meta.url), 'utf8'),
) as { extras: { csr: { pem: string } } };

let authority: Authority;
let srup: KeySet;

beforeAll(async () => {
  authority = await open(systemClock);
  srup = await generateKeys('rsa-sha256');
});

const open = (clock: Clock): Promise<Authority> => makeAuthority('b9d077e223834cf6', clock);

interface Pair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}
const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };

async function requestOf(
  pair: Pair,
  algorithm: Record<string, unknown>,
  name = 'CN=b9d077e223834cf6',
  signer: Pair = pair,
  extensions: Extension[] = [],
): Promise<string> {
  const request = await Pkcs10CertificateRequestGenerator.create({
    name,
    keys: {
      privateKey: signer.privateKey.toCryptoKey(algorithm as never, true, ['sign']),
      publicKey: pair.publicKey.toCryptoKey(algorithm as never, true, ['verify']),
    },
    signingAlgorithm: algorithm as never,
    extensions,
  });
  return request.toString('pem');
}

const ec = (namedCurve = 'P-256'): Pair => generateKeyPairSync('ec', { namedCurve });
const rsa = (modulusLength: number, publicExponent = 65537): Pair =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent });

const issue = (csr: string, id = ID) => authority.issueDevice(id, csr, srup.signing.publicPem);
const codeOf = async (csr: string, id = ID) => {
  const result = await issue(csr, id);
  return result.ok ? 'issued' : result.code;
};

/** What OpenSSL's own command line says: a reader that is not ours. */
function openssl(args: string[], files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'srup-authority-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const { stdout, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
    return stdout + stderr;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('a device certificate (P 8.3)', () => {
  test('is issued to the reference client’s recorded request', async () => {
    const result = await issue(vectors.extras.csr.pem);
    if (!result.ok) throw new Error(result.message);
    const certificate = new X509Certificate(result.certificate.pem);
    expect(certificate.subject).toBe('CN=b9d077e223834cf6');
    expect(certificate.serialNumber.toLowerCase()).toBe(result.certificate.serial);
    expect(certificate.publicKey.asymmetricKeyType).toBe('rsa');
  });

  test.skipIf(isMissing('openssl')).each([
    ['EC P-256', () => requestOf(ec(), EC)],
    ['EC P-384', () => requestOf(ec('P-384'), { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' })],
    ['RSA 2048', () => requestOf(rsa(2048), RSA)],
  ])('is issued for %s and verified by OpenSSL as a client, not as a server', async (_, make) => {
    const result = await issue(await make());
    if (!result.ok) throw new Error(result.message);
    const files = { 'ca.pem': authority.caPem, 'device.pem': result.certificate.pem };
    expect(
      openssl(['verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile', 'ca.pem', 'device.pem'], files),
    ).toMatch(/OK/);
    expect(openssl(['verify', '-purpose', 'sslserver', '-CAfile', 'ca.pem', 'device.pem'], files)).toMatch(
      /unsuitable|unsupported certificate purpose/i,
    );
  });

  test('is valid for 365 days at most, and from a little before now', async () => {
    const result = await issue(await requestOf(ec(), EC));
    if (!result.ok) throw new Error(result.message);
    const { validFromDate, validToDate } = new X509Certificate(result.certificate.pem);
    expect(validToDate.getTime() - validFromDate.getTime()).toBe(365 * DAY);
    expect(validFromDate.getTime()).toBeLessThan(Date.now());
    expect(result.certificate.notAfter).toBe(validToDate.getTime());
  });

  test('has a new serial number each time', async () => {
    const csr = await requestOf(ec(), EC);
    const results = await Promise.all(Array.from({ length: 20 }, () => issue(csr)));
    const serials = results.map((result) => (result.ok ? result.certificate.serial : ''));
    expect(new Set(serials).size).toBe(20);
    expect(serials.every((serial) => /^[4-7][0-9a-f]{31}$/.test(serial))).toBe(true);
  });

  test('signs nothing that the request asks for but name and key', async () => {
    // basicConstraints CA:TRUE: a request to become a CA
    const wish = new Extension('2.5.29.19', true, Buffer.from('30030101ff', 'hex'));
    const result = await issue(
      await requestOf(ec(), EC, 'CN=b9d077e223834cf6,O=SRUP_DEVICE', undefined, [wish]),
    );
    if (!result.ok) throw new Error(result.message);
    const certificate = new X509Certificate(result.certificate.pem);
    expect(certificate.ca).toBe(false);
    expect(certificate.subject).toBe('CN=b9d077e223834cf6');
  });
});

describe('a request is refused', () => {
  test.each([
    ['another identity', 'CN=b9d077e223834cf7'],
    ['two names', 'CN=b9d077e223834cf6,CN=b9d077e223834cf7'],
    ['upper case', 'CN=B9D077E223834CF6'],
    ['a leading zero', 'CN=0b9d077e223834cf6'],
  ])('for %s', async (_, name) => {
    expect(await codeOf(await requestOf(ec(), EC, name))).toBe('CSR_NAME');
  });

  test('for the name of another device that asks rightly', async () => {
    const csr = await requestOf(ec(), EC);
    expect(await codeOf(csr)).toBe('issued');
    expect(await codeOf(csr, parseIdentity('27ab54d670b64be2'))).toBe('CSR_NAME');
  });

  test('when it names nobody', async () => {
    expect(await codeOf(await requestOf(ec(), EC, 'O=SRUP_DEVICE'))).toBe('CSR_NAME');
  });

  test.each([
    ['RSA 1024', () => requestOf(rsa(1024), RSA)],
    ['RSA with exponent 3', () => requestOf(rsa(2048, 3), RSA)],
    ['EC P-521', () => requestOf(ec('P-521'), { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' })],
    ['Ed25519', () => requestOf(generateKeyPairSync('ed25519'), { name: 'Ed25519' })],
  ])('with the key %s', async (_, make) => {
    expect(await codeOf(await make())).toBe('CSR_KEY');
  });

  test('with the SRUP key in it', async () => {
    const key = { privateKey: createPrivateKey(srup.signing.privatePem.reveal()) };
    const pair = { ...key, publicKey: createPublicKey(srup.signing.publicPem) };
    expect(await codeOf(await requestOf(pair, RSA))).toBe('CSR_KEY_REUSED');
  });

  test('when another key signed it, or SHA-1 was used', async () => {
    const pair = ec();
    expect(await codeOf(await requestOf(pair, EC, undefined, ec()))).toBe('CSR_SIGNATURE');
    expect(await codeOf(await requestOf(pair, { ...EC, hash: 'SHA-1' }))).toBe('CSR_SIGNATURE');
    expect(await codeOf(await requestOf(pair, EC))).toBe('issued');
  });

  test('when one bit of what is signed was changed', async () => {
    const der = Buffer.from((await requestOf(ec(), EC)).replace(/-----.*-----|\s/g, ''), 'base64');
    const [first, end] = [3, 3 + 2 + der[4]!]; // 30 81 LL, then the signed part: 30 LL ...
    expect([der[0], der[1], der[3]]).toEqual([0x30, 0x81, 0x30]);
    for (let at = first; at < end; at += 1) {
      const changed = Buffer.from(der);
      changed[at]! ^= 1 << (at % 8);
      const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${changed.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
      expect(await codeOf(pem), `byte ${at}`).not.toBe('issued');
    }
  });

  test.each([
    ['nothing', ''],
    ['text', 'hello'],
    ['an empty block', '-----BEGIN CERTIFICATE REQUEST-----\n\n-----END CERTIFICATE REQUEST-----'],
    ['a certificate', () => authority.caPem],
    ['junk in a block', '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n'],
    [
      'an endless one',
      `-----BEGIN CERTIFICATE REQUEST-----\n${'A'.repeat(100_000)}\n-----END CERTIFICATE REQUEST-----`,
    ],
  ])('when it is %s', async (_, csr) => {
    expect(await codeOf(typeof csr === 'string' ? csr : csr())).toBe('CSR_MALFORMED');
  });
});

describe('the server’s own certificates', () => {
  test.skipIf(isMissing('openssl'))('HTTPS and MQTTS: names, addresses, and not a client’s', async () => {
    const { key, chain } = await authority.issueServer(['fleet.example', 'localhost', '127.0.0.1', '::1']);
    const certificate = new X509Certificate(chain);
    expect(certificate.checkHost('fleet.example')).toBe('fleet.example');
    expect(certificate.checkHost('other.example')).toBeUndefined();
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(certificate.checkIP('::1')).toBe('::1');
    expect(certificate.checkPrivateKey(createPrivateKey(key.reveal()))).toBe(true);
    const files = { 'ca.pem': authority.caPem, 'server.pem': chain };
    expect(
      openssl(['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', 'ca.pem', 'server.pem'], files),
    ).toMatch(/OK/);
    expect(openssl(['verify', '-purpose', 'sslclient', '-CAfile', 'ca.pem', 'server.pem'], files)).toMatch(
      /unsuitable|unsupported/i,
    );
    expect(chain.endsWith(authority.caPem)).toBe(true);
  });

  test('MQTT: the common name is the identity', async () => {
    const { chain } = await authority.issueClient(ID);
    expect(new X509Certificate(chain).subject).toBe('CN=b9d077e223834cf6');
  });
});

describe('the CA', () => {
  test('is a CA for ten years, and its fingerprint is that of its certificate', () => {
    const ca = new X509Certificate(authority.caPem);
    expect(ca.ca).toBe(true);
    expect(ca.verify(ca.publicKey)).toBe(true);
    expect(authority.fingerprint).toBe(ca.fingerprint256.replaceAll(':', '').toLowerCase());
    expect((authority.notAfter - Date.now()) / DAY).toBeGreaterThan(3650);
  });

  test('does not open with another’s key', async () => {
    const other = await makeTlsKey();
    const open = () => openAuthority(other, authority.caPem, systemClock, systemRandom);
    expect(open).toThrow(/does not belong/);
  });

  test.each([2026, 2049, 2060])('works in the year %i', async (year) => {
    const clock: Clock = { ...systemClock, now: () => Date.UTC(year, 5, 1) };
    const then = await open(clock);
    const result = await then.issueDevice(ID, await requestOf(ec(), EC), srup.signing.publicPem);
    if (!result.ok) throw new Error(result.message);
    expect(new X509Certificate(result.certificate.pem).validToDate.getTime()).toBe(
      result.certificate.notAfter,
    );
    expect(result.certificate.notAfter).toBeGreaterThan(Date.UTC(year + 1, 0, 1));
    expect(new X509Certificate(then.caPem).validToDate.getUTCFullYear()).toBe(year + 10);
  });
});

describe.skipIf(isMissing('openssl'))('the revocation list', () => {
  test('is read by OpenSSL, with and without entries', async () => {
    const empty = openssl(['crl', '-text', '-noout', '-CAfile', 'ca.pem', '-in', 'crl.pem'], {
      'ca.pem': authority.caPem,
      'crl.pem': await authority.revocationList([]),
    });
    expect(empty).toMatch(/No Revoked Certificates/);
    const two = openssl(['crl', '-text', '-noout', '-CAfile', 'ca.pem', '-in', 'crl.pem'], {
      'ca.pem': authority.caPem,
      'crl.pem': await authority.revocationList([
        { serial: '4a'.repeat(16), revokedAt: Date.UTC(2026, 10, 21) },
        { serial: '7f'.repeat(16), revokedAt: Date.UTC(2051, 0, 1) },
      ]),
    });
    expect(two).toMatch(/verify OK/);
    expect(two).toMatch(/Serial Number: (4A){16}\s+Revocation Date: Nov 21 00:00:00 2026/);
    expect(two).toMatch(/Serial Number: (7F){16}\s+Revocation Date: Jan\s+1 00:00:00 2051/);
  });

  test('makes exactly its certificates invalid', async () => {
    const [first, second] = await Promise.all([
      issue(await requestOf(ec(), EC)),
      issue(await requestOf(ec(), EC)),
    ]);
    if (!first.ok || !second.ok) throw new Error('not issued');
    const crl = await authority.revocationList([{ serial: first.certificate.serial, revokedAt: Date.now() }]);
    const verify = (pem: string) =>
      openssl(['verify', '-crl_check', '-CAfile', 'ca.pem', '-CRLfile', 'crl.pem', 'device.pem'], {
        'ca.pem': authority.caPem,
        'crl.pem': crl,
        'device.pem': pem,
      });
    expect(verify(first.certificate.pem)).toMatch(/certificate revoked/);
    expect(verify(second.certificate.pem)).toMatch(/OK/);
  });

  test('holds thousands of entries', async () => {
    const entries = Array.from({ length: 5_000 }, (_, i) => ({
      serial: (0x4000_0000 + i).toString(16).padEnd(32, '0'),
      revokedAt: Date.now(),
    }));
    const text = openssl(['crl', '-text', '-noout', '-in', 'crl.pem'], {
      'crl.pem': await authority.revocationList(entries),
    });
    expect(text.match(/Serial Number/g)).toHaveLength(5_000);
  });
});
