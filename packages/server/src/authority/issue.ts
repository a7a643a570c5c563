/** Issues certificates (P 8.3). */
import type { KeyObject } from 'node:crypto';
import type { Clock, Random } from '@srup/protocol';
import { BACKDATED_MS } from './ca.ts';
import { ECDSA_P256, newSerial, toSigner } from './keys.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  type Extension,
  type PublicKey,
  type X509Certificate,
} from './x509.ts';

export interface Issued {
  readonly pem: string;
  /** Hex. */
  readonly serial: string;
  /** Ms since 1970. */
  readonly notAfter: number;
}

export interface Issuer {
  readonly ca: X509Certificate;
  readonly key: KeyObject;
  /** The life of a certificate, in milliseconds. */
  readonly lifeMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Subject {
  /** E.g. `CN=27ab54d670b64be2`. */
  readonly name: string;
  readonly publicKey: PublicKey;
  /** What the certificate is for. */
  readonly purpose: readonly Extension[];
  /** Hex; a new random one by default. */
  readonly serial?: string | undefined;
}

export async function issueCertificate(
  { ca, key, lifeMs, clock, random }: Issuer,
  { name, publicKey, purpose, serial = newSerial(random) }: Subject,
): Promise<Issued> {
  const keyIdentifier = await ca.publicKey.getKeyIdentifier();
  const notBefore = clock.now() - Math.min(BACKDATED_MS, lifeMs / 10);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial,
    subject: name,
    issuer: ca.subjectName,
    notBefore: new Date(notBefore),
    notAfter: new Date(notBefore + lifeMs),
    signingKey: toSigner(key),
    publicKey,
    signingAlgorithm: ECDSA_P256,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      ...purpose,
      await SubjectKeyIdentifierExtension.create(publicKey),
      new AuthorityKeyIdentifierExtension(Buffer.from(keyIdentifier).toString('hex')),
    ],
  });
  return {
    pem: `${certificate.toString('pem')}\n`,
    serial,
    notAfter: certificate.notAfter.getTime(),
  };
}
