import type { Secret } from '@srup/node';
import type { Clock, Random } from '@srup/protocol';
import { ECDSA_P256, newSerial, parseKey, publicPartOf, toSigner } from './keys.ts';
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  type Name,
} from './x509.ts';

export const DAY_MS = 86_400_000;
/** A certificate is valid from up to this many milliseconds before it was made: clocks differ. */
export const BACKDATED_MS = 3_600_000;
/** The life of the CA: ten years. */
const CA_DAYS = 3_652;

const TITLE = 'SRUP CA ';

/** The name that `makeCaCertificate` got. */
export function caNameIn(subject: Name): string {
  return subject.getField('CN')[0]?.slice(TITLE.length) ?? '';
}

/** Makes a CA certificate for this key, in PEM. `name` distinguishes the CA of one server from that of another. */
export async function makeCaCertificate(
  keyPem: Secret,
  name: string,
  clock: Clock,
  random: Random,
): Promise<string> {
  const key = parseKey(keyPem);
  const publicKey = publicPartOf(key);
  const notBefore = clock.now() - BACKDATED_MS;
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerial(random),
    subject: `CN=${TITLE}${name}`,
    issuer: `CN=${TITLE}${name}`,
    notBefore: new Date(notBefore),
    notAfter: new Date(notBefore + CA_DAYS * DAY_MS),
    signingKey: toSigner(key),
    publicKey,
    signingAlgorithm: ECDSA_P256,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}
