import { sign, verify, X509Certificate, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { AsnConvert, AsnIntegerBigIntConverter, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AuthorityKeyIdentifier,
  CertificateList,
  Extension,
  id_ce_authorityKeyIdentifier,
  id_ce_cRLNumber,
  KeyIdentifier,
  Name,
  RevokedCertificate,
  TBSCertList,
  Time,
  Version,
} from '@peculiar/asn1-x509';

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const LINE = /.{1,64}/g;
const signAside = promisify<'sha256', Buffer, { key: KeyObject; dsaEncoding: 'der' }, Buffer>(sign);

/** A certificate that was revoked. `serial`: hex, as it was issued; `revokedAt`: ms since 1970. */
export interface RevokedEntry {
  readonly serial: string;
  readonly revokedAt: number;
}

export interface CrlIssuer {
  /** DER of the CA's name, as its certificate has it. */
  readonly name: ArrayBuffer;
  readonly keyIdentifier: ArrayBuffer;
  readonly key: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/**
 * Makes the revocation list in PEM (P 8.3); `number` only grows. It uses the ASN.1 types, because the generator of
 * @peculiar/x509 takes time that grows with the square of the entries. The list is valid for as long as the CA: a list
 * that expires, or one "from the future" after the clock was set back, would lock the whole fleet out.
 */
export async function makeCrl(
  issuer: CrlIssuer,
  entries: readonly RevokedEntry[],
  number: bigint,
): Promise<string> {
  const algorithm = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 });
  const authority = new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(issuer.keyIdentifier) });
  const list = new TBSCertList({
    version: Version.v2,
    signature: algorithm,
    issuer: AsnConvert.parse(issuer.name, Name),
    thisUpdate: new Time(issuer.notBefore),
    nextUpdate: new Time(issuer.notAfter),
    // RFC 5280, 5.1.2.6: an empty list is left out.
    ...(entries.length > 0 && { revokedCertificates: entries.map(toRevoked) }),
    crlExtensions: [
      extension(id_ce_authorityKeyIdentifier, AsnConvert.serialize(authority)),
      extension(id_ce_cRLNumber, AsnIntegerBigIntConverter.toASN(number).toBER()),
    ],
  });
  const signed = Buffer.from(AsnConvert.serialize(list));
  const signature = await signAside('sha256', signed, { key: issuer.key, dsaEncoding: 'der' });
  const certificateList = new CertificateList({
    tbsCertList: list,
    signatureAlgorithm: algorithm,
    signature: copyOf(signature),
  });
  return toPem(AsnConvert.serialize(certificateList));
}

export interface RevocationList {
  /** Greater than the number of every list before it; about the ms since 1970 when the list was made. */
  readonly number: bigint;
  readonly entries: readonly RevokedEntry[];
}

/** Reads a revocation list. Undefined when it can't be read, or is not signed by this CA. */
export function readCrl(pem: string, caPem: string): RevocationList | undefined {
  const [, body] = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/.exec(pem) ?? [];
  if (body === undefined) return undefined;
  try {
    const list = AsnConvert.parse(Buffer.from(body, 'base64'), CertificateList);
    const { publicKey } = new X509Certificate(caPem);
    const signed = Buffer.from(list.tbsCertListRaw ?? new ArrayBuffer());
    const key = { key: publicKey, dsaEncoding: 'der' } as const;
    if (!verify('sha256', signed, key, Buffer.from(list.signature))) return undefined;
    const { revokedCertificates = [], crlExtensions = [] } = list.tbsCertList;
    const number = crlExtensions.find(({ extnID }) => extnID === id_ce_cRLNumber);
    return {
      number: number === undefined ? 0n : readInteger(Buffer.from(number.extnValue.buffer)),
      entries: revokedCertificates.map(({ userCertificate, revocationDate }) => ({
        serial: Buffer.from(userCertificate).toString('hex'),
        revokedAt: revocationDate.getTime().getTime(),
      })),
    };
  } catch {
    return undefined;
  }
}

/** Reads a positive DER integer without its tag and length. */
function readInteger(der: Buffer): bigint {
  return BigInt(`0x${der.subarray(2).toString('hex')}`);
}

function toRevoked({ serial, revokedAt }: RevokedEntry): RevokedCertificate {
  return new RevokedCertificate({
    userCertificate: copyOf(Buffer.from(serial, 'hex')),
    revocationDate: new Time(new Date(revokedAt)),
  });
}

function extension(extnID: string, value: ArrayBuffer): Extension {
  return new Extension({ extnID, extnValue: new OctetString(value) });
}

/** OpenSSL, and all that is built on it, reads a revocation list only with this label. */
function toPem(der: ArrayBuffer): string {
  const lines = Buffer.from(der).toString('base64').match(LINE) ?? [];
  return `-----BEGIN X509 CRL-----\n${lines.join('\n')}\n-----END X509 CRL-----\n`;
}

/** A Buffer may be a window into a larger one. */
function copyOf(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
