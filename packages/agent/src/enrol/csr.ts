import { createPrivateKey, createPublicKey, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { Secret } from '@srup/node';

const ECDSA_P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A new key for TLS; never the SRUP key (P 8.3). PKCS#8 PEM. */
export async function makeTlsKey(): Promise<Secret> {
  const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  return new Secret(privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
}

/** A certificate request for the id, signed by its key. PEM. */
export async function makeCsr(id: string, key: Secret): Promise<string> {
  // Loaded when it is wanted: it is large, and a device asks once a year.
  await import('reflect-metadata');
  const { Pkcs10CertificateRequestGenerator } = await import('@peculiar/x509');
  const privateKey = createPrivateKey(key.reveal());
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: `CN=${id}`,
    keys: {
      privateKey: privateKey.toCryptoKey(ECDSA_P256, false, ['sign']),
      publicKey: createPublicKey(privateKey).toCryptoKey(ECDSA_P256, true, ['verify']),
    },
    signingAlgorithm: ECDSA_P256,
  });
  return request.toString('pem');
}
