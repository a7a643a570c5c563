import { sign, verify, X509Certificate, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { AsnConvert, AsnIntegerBigIntConverter } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  CertificateList,
  id_ce_authorityKeyIdentifier,
  id_ce_cRLNumber,
  RevokedCertificate,
  TBSCertList,
  Time,
  Version,
  type Name,
} from '@peculiar/asn1-x509';
import { authorityIdentifier } from './certificate.ts';
import { copyOf, ECDSA_WITH_SHA256, extension, rawExtension, toPem } from './asn.ts';

const signAside = promisify<'sha256', Buffer, { key: KeyObject; dsaEncoding: 'der' }, Buffer>(sign);

/** A certificate that was revoked. `serial`: hex, as it was issued; `revokedAt`: ms since 1970. */
export interface RevokedEntry {
  readonly serial: string;
  readonly revokedAt: number;
}

export interface CrlIssuer {
  /** The CA's, as its certificate has it. */
  readonly name: Name;
  readonly key: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/**
 * Makes the revocation list in PEM (P 8.3); `number` only grows. The list is valid for as long as the
 * CA: a list that expires, or one "from the future" after the clock was set back, would lock the whole fleet out.
 */
export async function makeCrl(
  issuer: CrlIssuer,
  entries: readonly RevokedEntry[],
  number: bigint,
): Promise<string> {
  const algorithm = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 });
  const list = new TBSCertList({
    version: Version.v2,
    signature: algorithm,
    issuer: issuer.name,
    thisUpdate: new Time(issuer.notBefore),
    nextUpdate: new Time(issuer.notAfter),
    // RFC 5280, 5.1.2.6: an empty list is left out.
    ...(entries.length > 0 && { revokedCertificates: entries.map(toRevoked) }),
    crlExtensions: [
      extension(id_ce_authorityKeyIdentifier, authorityIdentifier(issuer.key)),
      rawExtension(id_ce_cRLNumber, AsnIntegerBigIntConverter.toASN(number).toBER()),
    ],
  });
  const signed = Buffer.from(AsnConvert.serialize(list));
  const signature = await signAside('sha256', signed, { key: issuer.key, dsaEncoding: 'der' });
  const certificateList = new CertificateList({
    tbsCertList: list,
    signatureAlgorithm: algorithm,
    signature: copyOf(signature),
  });
  return toPem('X509 CRL', AsnConvert.serialize(certificateList));
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
