/** What a certificate request must prove before the CA signs anything (P 8.3). The bytes come from a stranger. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { identityText, type Identity } from '@srup/protocol';
import { Pkcs10CertificateRequest, type PublicKey } from './x509.ts';

/** Letters of a request's PEM: the largest honest one (RSA-4096) has about 1,700. */
export const MAX_CSR_LETTERS = 8_192;
const RSA_BITS = { least: 2048, most: 4096 };
const RSA_EXPONENT = 65537n;
const CURVES = new Set(['prime256v1', 'secp384r1']);
const SIGNATURES = new Set(['RSASSA-PKCS1-v1_5', 'ECDSA']);
const HASHES = new Set(['SHA-256', 'SHA-384', 'SHA-512']);
const PEM =
  /^\s*-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END (?:NEW )?CERTIFICATE REQUEST-----\s*$/;

export type CsrCode =
  | 'CSR_MALFORMED' // not a request at all
  | 'CSR_NAME' // for another identity than the one that asks
  | 'CSR_KEY' // a key that is weak, or of a kind that TLS clients of this server don't use
  | 'CSR_KEY_REUSED' // the SRUP key: one key, one purpose
  | 'CSR_SIGNATURE'; // the sender does not hold the key

/** The form of WebCrypto, whose types belong to browsers. */
interface SignatureAlgorithm {
  readonly name: string;
  readonly hash: { readonly name: string };
}

export type CsrVerdict =
  | { readonly ok: true; readonly publicKey: PublicKey }
  | { readonly ok: false; readonly code: CsrCode; readonly message: string };

/** Checks a request against the identity that sent it. `identityKey` is the PEM of its registered SRUP key. */
export async function checkRequest(pem: string, id: Identity, identityKey: string): Promise<CsrVerdict> {
  const parsed = parseRequest(pem);
  if (parsed === undefined) return refuse('CSR_MALFORMED', 'the csr is not a PKCS#10 request in PEM form');
  const { request, names, publicKey } = parsed;
  if (names.length !== 1 || names[0] !== identityText(id)) {
    return refuse(
      'CSR_NAME',
      `the common name of the csr must be the registered identity, ${identityText(id)}`,
    );
  }
  const key = parseKey(publicKey);
  if (key === undefined || !isAcceptable(key)) {
    return refuse(
      'CSR_KEY',
      'the csr needs a key of EC P-256, EC P-384, or RSA of 2048 to 4096 bits (e = 65537)',
    );
  }
  if (key.equals(createPublicKey(identityKey))) {
    return refuse('CSR_KEY_REUSED', 'the csr has the SRUP key in it: make a key of its own for TLS');
  }
  if (!(await isSignedByItsKey(request))) {
    return refuse(
      'CSR_SIGNATURE',
      'the signature of the csr is not valid, or is not made with SHA-256, 384 or 512',
    );
  }
  return { ok: true, publicKey };
}

function refuse(code: CsrCode, message: string): CsrVerdict {
  return { ok: false, code, message };
}

interface ParsedRequest {
  readonly request: Pkcs10CertificateRequest;
  readonly names: readonly string[];
  readonly publicKey: PublicKey;
}

function parseRequest(pem: string): ParsedRequest | undefined {
  const base64 = pem.length > MAX_CSR_LETTERS ? undefined : PEM.exec(pem)?.[1];
  if (base64 === undefined) return undefined;
  try {
    const request = new Pkcs10CertificateRequest(Buffer.from(base64, 'base64'));
    // The library parses both when they are first read, and throws then.
    return { request, names: request.subjectName.getField('CN'), publicKey: request.publicKey };
  } catch {
    return undefined;
  }
}

function parseKey(publicKey: PublicKey): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(publicKey.rawData), format: 'der', type: 'spki' });
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

async function isSignedByItsKey(request: Pkcs10CertificateRequest): Promise<boolean> {
  try {
    const { name, hash } = request.signatureAlgorithm as unknown as SignatureAlgorithm;
    return SIGNATURES.has(name) && HASHES.has(hash.name) && (await request.verify());
  } catch {
    return false; // an unknown algorithm, or bytes that are not a signature
  }
}
