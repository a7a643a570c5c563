import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { systemClock, systemRandom } from '@srup/node';
import type { Clock } from '@srup/protocol';
import { openAuthority, type Authority } from '../src/authority/authority.ts';
import { makeCaCertificate } from '../src/authority/ca.ts';
import { makeTlsKey } from '../src/authority/keys.ts';
import { Pkcs10CertificateRequestGenerator } from './x509.ts';

/** Makes a certificate authority of a test's own, with a new key. */
export async function makeAuthority(name = 'test', clock: Clock = systemClock): Promise<Authority> {
  const key = await makeTlsKey();
  const ca = makeCaCertificate(key, name, clock, systemRandom);
  return openAuthority(key, ca, clock, systemRandom);
}

interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** Makes a key for the TLS connection of a device. */
export function makePair(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** Makes a request for a certificate of the identity `name`, signed with `pair` (P-256), as PEM. */
export async function requestCertificate(name: string, pair: KeyPair = makePair()): Promise<string> {
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: `CN=${name}`,
    keys: {
      privateKey: pair.privateKey.toCryptoKey(EC, true, ['sign']),
      publicKey: pair.publicKey.toCryptoKey(EC, true, ['verify']),
    },
    signingAlgorithm: EC,
  });
  return request.toString('pem');
}
