/** What certificates and revocation lists share, in the types of ASN.1. */
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import { Extension } from '@peculiar/asn1-x509';

/** RFC 5758, 3.2. */
export const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const LINE = /.{1,64}/g;

/** An extension with a value of its own type. */
export function extension(extnID: string, value: object, critical = false): Extension {
  return rawExtension(extnID, AsnConvert.serialize(value), critical);
}

export function rawExtension(extnID: string, value: ArrayBuffer, critical = false): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(value) });
}

/** OpenSSL, and all that is built on it, reads a certificate or a list only with its own label. */
export function toPem(label: 'CERTIFICATE' | 'X509 CRL', der: ArrayBuffer): string {
  const lines = Buffer.from(der).toString('base64').match(LINE) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** A Buffer may be a window into a larger one. */
export function copyOf(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
