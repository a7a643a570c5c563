/** What a certificate request must prove before the CA signs anything (P 8.3). The bytes come from a stranger. */
import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { CertificationRequest } from '@peculiar/asn1-csr';
import { AsnConvert } from '@peculiar/asn1-schema';
import { identityText, type Identity } from '@srup/protocol';
import { commonNamesIn } from './certificate.ts';

/** Letters of a request's PEM: the largest honest one (RSA-4096) has about 1,700. */
export const MAX_CSR_LETTERS = 8_192;
const RSA_BITS = { least: 2048, most: 4096 };
const RSA_EXPONENT = 65537n;
const CURVES = new Set(['prime256v1', 'secp384r1']);
/** The signatures that are taken, each with the keys that can make it (RFC 8017, A.2.4; RFC 5758, 3.2). */
const SIGNATURES: Readonly<Record<string, { readonly keys: string; readonly hash: string }>> = {
  '1.2.840.113549.1.1.11': { keys: 'rsa', hash: 'sha256' },
  '1.2.840.113549.1.1.12': { keys: 'rsa', hash: 'sha384' },
  '1.2.840.113549.1.1.13': { keys: 'rsa', hash: 'sha512' },
  '1.2.840.10045.4.3.2': { keys: 'ec', hash: 'sha256' },
  '1.2.840.10045.4.3.3': { keys: 'ec', hash: 'sha384' },
  '1.2.840.10045.4.3.4': { keys: 'ec', hash: 'sha512' },
};
const PEM =
  /^\s*-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END (?:NEW )?CERTIFICATE REQUEST-----\s*$/;

export type CsrCode =
  | 'CSR_MALFORMED' // not a request at all
  | 'CSR_NAME' // for another identity than the one that asks
  | 'CSR_KEY' // a key that is weak, or of a kind that TLS clients of this server don't use
  | 'CSR_KEY_REUSED' // the SRUP key: one key, one purpose
  | 'CSR_SIGNATURE'; // the sender does not hold the key

export type CsrVerdict =
  | { readonly ok: true; readonly publicKey: KeyObject }
  | { readonly ok: false; readonly code: CsrCode; readonly message: string };

/** Checks a request against the identity that sent it. `identityKey` is the PEM of its registered SRUP key. */
export function checkRequest(pem: string, id: Identity, identityKey: string): CsrVerdict {
  const request = parseRequest(pem);
  if (request === undefined) return refuse('CSR_MALFORMED', 'the csr is not a PKCS#10 request in PEM form');
  const names = commonNamesIn(request.certificationRequestInfo.subject);
  if (names.length !== 1 || names[0] !== identityText(id)) {
    return refuse(
      'CSR_NAME',
      `the common name of the csr must be the registered identity, ${identityText(id)}`,
    );
  }
  const key = publicKeyIn(request);
  if (key === undefined || !isAcceptable(key)) {
    return refuse(
      'CSR_KEY',
      'the csr needs a key of EC P-256, EC P-384, or RSA of 2048 to 4096 bits (e = 65537)',
    );
  }
  if (key.equals(createPublicKey(identityKey))) {
    return refuse('CSR_KEY_REUSED', 'the csr has the SRUP key in it: make a key of its own for TLS');
  }
  if (!isSignedBy(key, request)) {
    return refuse(
      'CSR_SIGNATURE',
      'the signature of the csr is not valid, or is not made with SHA-256, 384 or 512',
    );
  }
  return { ok: true, publicKey: key };
}

function refuse(code: CsrCode, message: string): CsrVerdict {
  return { ok: false, code, message };
}

function parseRequest(pem: string): CertificationRequest | undefined {
  const base64 = pem.length > MAX_CSR_LETTERS ? undefined : PEM.exec(pem)?.[1];
  if (base64 === undefined) return undefined;
  try {
    return AsnConvert.parse(Buffer.from(base64, 'base64'), CertificationRequest);
  } catch {
    return undefined;
  }
}

function publicKeyIn({ certificationRequestInfo }: CertificationRequest): KeyObject | undefined {
  try {
    const der = AsnConvert.serialize(certificationRequestInfo.subjectPKInfo);
    return createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

function isAcceptable(key: KeyObject): boolean {
  const { modulusLength = 0, publicExponent, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'ec':
      return CURVES.has(namedCurve);
    case 'rsa':
      return (
        modulusLength >= RSA_BITS.least && modulusLength <= RSA_BITS.most && publicExponent === RSA_EXPONENT
      );
    default:
      return false;
  }
}

function isSignedBy(key: KeyObject, request: CertificationRequest): boolean {
  const { certificationRequestInfoRaw: signed, signatureAlgorithm, signature } = request;
  const { algorithm } = signatureAlgorithm;
  const known = Object.hasOwn(SIGNATURES, algorithm) ? SIGNATURES[algorithm] : undefined;
  if (known === undefined || known.keys !== key.asymmetricKeyType || signed === undefined) return false;
  const by = { key, dsaEncoding: 'der' } as const;
  return verify(known.hash, Buffer.from(signed), by, Buffer.from(signature));
}
