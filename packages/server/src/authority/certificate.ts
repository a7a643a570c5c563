/** Makes certificates from what they say. */
import { createHash, createPublicKey, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  Certificate,
  Extensions,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  KeyIdentifier,
  KeyUsage,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
  type BasicConstraints,
  type Extension,
} from '@peculiar/asn1-x509';
import { copyOf, ECDSA_WITH_SHA256, extension, toPem } from './asn.ts';

/** RFC 5280, A.1. */
const COMMON_NAME = '2.5.4.3';

/** What a certificate says. */
export interface Says {
  /** Hex. */
  readonly serial: string;
  readonly subject: Name;
  readonly publicKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly constraints: BasicConstraints;
  /** Flags of `KeyUsageFlags`. */
  readonly usage: number;
  readonly more?: readonly Extension[];
}

/** Who signs it: a CA, by its name and EC P-256 key. */
export interface Signer {
  readonly name: Name;
  readonly key: KeyObject;
}

/**
 * Makes a certificate in PEM (RFC 5280). It uses the ASN.1 types, because the generator of @peculiar/x509 reads again
 * what it has just written: it takes four times as long, for each device that comes up.
 *
 * @example
 * const pem = makeCertificate(says, { name: commonName('SRUP CA'), key });
 */
export function makeCertificate(says: Says, { name, key }: Signer): string {
  const { serial, subject, publicKey, notBefore, notAfter, constraints, usage, more = [] } = says;
  const algorithm = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 });
  const own = keyInfo(publicKey);
  const isSelfSigned = name === subject;
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: copyOf(Buffer.from(serial, 'hex')),
    signature: algorithm,
    issuer: name,
    validity: new Validity({ notBefore, notAfter }),
    subject,
    subjectPublicKeyInfo: own,
    extensions: new Extensions([
      extension(id_ce_basicConstraints, constraints, true),
      extension(id_ce_keyUsage, new KeyUsage(usage), true),
      ...more,
      extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(identifierOf(own))),
      // RFC 5280, 4.2.1.1: one that is signed by its own key can leave it out.
      ...(isSelfSigned ? [] : [extension(id_ce_authorityKeyIdentifier, authorityIdentifier(key))]),
    ]),
  });
  const signed = Buffer.from(AsnConvert.serialize(tbsCertificate));
  const signatureValue = copyOf(sign('sha256', signed, { key, dsaEncoding: 'der' }));
  const certificate = new Certificate({ tbsCertificate, signatureAlgorithm: algorithm, signatureValue });
  return toPem('CERTIFICATE', AsnConvert.serialize(certificate));
}

/** The name that consists of a common name only. */
export function commonName(text: string): Name {
  const value = new AttributeValue({ utf8String: text });
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: COMMON_NAME, value })])]);
}

/** The common names in a name; most have one. */
export function commonNamesIn(name: Name): readonly string[] {
  return [...name].flatMap((part) =>
    [...part].filter(({ type }) => type === COMMON_NAME).map(({ value }) => value.toString()),
  );
}

/** How a certificate or list names the key that signed it. */
export function authorityIdentifier(key: KeyObject): AuthorityKeyIdentifier {
  const known = identifiers.get(key);
  if (known !== undefined) return known;
  const keyIdentifier = new KeyIdentifier(identifierOf(keyInfo(createPublicKey(key))));
  const made = new AuthorityKeyIdentifier({ keyIdentifier });
  identifiers.set(key, made);
  return made;
}

const identifiers = new WeakMap<KeyObject, AuthorityKeyIdentifier>();

function keyInfo(publicKey: KeyObject): SubjectPublicKeyInfo {
  return AsnConvert.parse(publicKey.export({ format: 'der', type: 'spki' }), SubjectPublicKeyInfo);
}

/** RFC 5280, 4.2.1.2 (1): it only has to differ from key to key, so SHA-1 is good enough. */
function identifierOf({ subjectPublicKey }: SubjectPublicKeyInfo): ArrayBuffer {
  return copyOf(createHash('sha1').update(new Uint8Array(subjectPublicKey)).digest());
}

/** The DNS names and IP addresses that a certificate in PEM is for. */
export function namesOf(pem: string): readonly string[] {
  const { tbsCertificate } = AsnConvert.parse(new X509Certificate(pem).raw, Certificate);
  const found = tbsCertificate.extensions?.find(({ extnID }) => extnID === id_ce_subjectAltName);
  if (found === undefined) return [];
  const names = AsnConvert.parse(found.extnValue.buffer, SubjectAlternativeName);
  return [...names].flatMap(({ dNSName, iPAddress }) => dNSName ?? iPAddress ?? []);
}
