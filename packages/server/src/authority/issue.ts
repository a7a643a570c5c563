/** Issues certificates (P 8.3). */
import type { KeyObject } from 'node:crypto';
import { BasicConstraints, KeyUsageFlags, type Extension, type Name } from '@peculiar/asn1-x509';
import type { Clock, Random } from '@srup/protocol';
import { BACKDATED_MS } from './ca.ts';
import { commonName, makeCertificate } from './certificate.ts';
import { newSerial } from './keys.ts';

export interface Issued {
  readonly pem: string;
  /** Hex. */
  readonly serial: string;
  /** Ms since 1970. */
  readonly notAfter: number;
}

export interface Issuer {
  /** The CA's, as its certificate has it. */
  readonly name: Name;
  readonly key: KeyObject;
  /** The life of a certificate, in milliseconds. */
  readonly lifeMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Subject {
  /** Its common name, e.g. `27ab54d670b64be2`. */
  readonly name: string;
  readonly publicKey: KeyObject;
  /** What the certificate is for. */
  readonly purpose: readonly Extension[];
  /** Hex; a new random one by default. */
  readonly serial?: string | undefined;
}

export function issueCertificate(
  { name: ca, key, lifeMs, clock, random }: Issuer,
  { name, publicKey, purpose, serial = newSerial(random) }: Subject,
): Issued {
  const notBefore = new Date(clock.now() - Math.min(BACKDATED_MS, lifeMs / 10));
  const notAfter = new Date(notBefore.getTime() + lifeMs);
  notAfter.setMilliseconds(0); // a certificate counts in seconds
  const says = {
    ...{ serial, subject: commonName(name), publicKey, notBefore, notAfter },
    constraints: new BasicConstraints(),
    usage: KeyUsageFlags.digitalSignature,
    more: purpose,
  };
  const pem = makeCertificate(says, { name: ca, key });
  return { pem, serial, notAfter: notAfter.getTime() };
}
