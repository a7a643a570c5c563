import { createPublicKey } from 'node:crypto';
import { BasicConstraints, KeyUsageFlags, type Name } from '@peculiar/asn1-x509';
import type { Secret } from '@srup/node';
import type { Clock, Random } from '@srup/protocol';
import { commonName, commonNamesIn, makeCertificate } from './certificate.ts';
import { newSerial, parseKey } from './keys.ts';

export const DAY_MS = 86_400_000;
/** A certificate is valid from up to this many milliseconds before it was made: clocks differ. */
export const BACKDATED_MS = 3_600_000;
/** The life of the CA: ten years. */
const CA_DAYS = 3_652;

const TITLE = 'SRUP CA ';

/** The name that `makeCaCertificate` got. */
export function caNameIn(subject: Name): string {
  return commonNamesIn(subject)[0]?.slice(TITLE.length) ?? '';
}

/** Makes a CA certificate for this key, in PEM. `name` distinguishes the CA of one server from that of another. */
export function makeCaCertificate(keyPem: Secret, name: string, clock: Clock, random: Random): string {
  const key = parseKey(keyPem);
  const subject = commonName(`${TITLE}${name}`);
  const notBefore = clock.now() - BACKDATED_MS;
  const says = {
    ...{ serial: newSerial(random), subject, publicKey: createPublicKey(key) },
    notBefore: new Date(notBefore),
    notAfter: new Date(notBefore + CA_DAYS * DAY_MS),
    constraints: new BasicConstraints({ cA: true, pathLenConstraint: 0 }),
    usage: KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign,
  };
  return makeCertificate(says, { name: subject, key });
}
