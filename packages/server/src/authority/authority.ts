/** The certificate authority of one server (P 8.3). */
import { createPublicKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { AsnConvert } from '@peculiar/asn1-schema';
import {
  Certificate,
  ExtendedKeyUsage,
  GeneralName,
  id_ce_extKeyUsage,
  id_ce_subjectAltName,
  id_kp_clientAuth,
  id_kp_serverAuth,
  SubjectAlternativeName,
  type Extension,
} from '@peculiar/asn1-x509';
import { fingerprintOf, type Secret } from '@srup/node';
import { identityText, type Clock, type Identity, type Random } from '@srup/protocol';
import { extension } from './asn.ts';
import { caNameIn, DAY_MS } from './ca.ts';
import { makeCrl, type RevokedEntry } from './crl.ts';
import { checkRequest, type CsrCode } from './csr.ts';
import { issueCertificate, type Issued, type Issuer } from './issue.ts';
import { makeTlsKey, parseKey } from './keys.ts';

/** The longest life of a certificate other than the CA's, in days (P 8.3). */
export const CERTIFICATE_DAYS = 365;

/** A private key with the chain that speaks for it, as TLS takes them. */
export interface Credential {
  readonly key: Secret;
  /** PEM: the certificate, then the CA's, so that a client that pins the CA finds it (P 8.6). */
  readonly chain: string;
}

export type IssueResult =
  | { readonly ok: true; readonly certificate: Issued }
  | { readonly ok: false; readonly code: CsrCode; readonly message: string };

/** The certificate authority of one server: whoever speaks TLS with that server trusts only this one. */
export interface Authority {
  /** The name that it was made with. */
  readonly name: string;
  readonly caPem: string;
  /** SHA-256 of the CA's certificate, 64 lower-case hex digits. */
  readonly fingerprint: string;
  /** The end of the CA's certificate, in ms since 1970. */
  readonly notAfter: number;
  /** Issues a certificate for HTTPS and MQTTS at these DNS names and IP addresses, with a new key. */
  issueServer(names: readonly string[]): Promise<Credential>;
  /** Issues a certificate for a client of the broker, with a new key; the common name is the identity (P 7.1). */
  issueClient(id: Identity, serial?: string): Promise<Credential>;
  /** Issues a certificate for a device's request, after the checks of P 8.3. `identityKey`: PEM of its SRUP key. */
  issueDevice(id: Identity, csrPem: string, identityKey: string): Promise<IssueResult>;
  /** The revocation list in PEM. `number` must be greater than that of the list before it; it is ms since 1970 by default. */
  revocationList(entries: readonly RevokedEntry[], number?: bigint): Promise<string>;
}

/**
 * Opens a CA by its key and certificate. Throws when they are not a pair. `lifeMs` is the life of the certificates that
 * it issues, in milliseconds; 365 days by default, and never more (P 8.3).
 *
 * @example
 * const key = await makeTlsKey();
 * const authority = openAuthority(key, makeCaCertificate(key, 'b9d077e223834cf6', clock, random), clock, random);
 * const { key: serverKey, chain } = await authority.issueServer(['fleet.example.org']);
 */
export function openAuthority(
  keyPem: Secret,
  caPem: string,
  clock: Clock,
  random: Random,
  lifeMs = CERTIFICATE_DAYS * DAY_MS,
): Authority {
  const key = parseKey(keyPem);
  const ca = new X509Certificate(caPem);
  if (!ca.checkPrivateKey(key)) throw new Error('the key of the CA does not belong to its certificate');
  const { subject, validity } = AsnConvert.parse(ca.raw, Certificate).tbsCertificate;
  const issuer: Issuer = { name: subject, key, lifeMs, clock, random };

  async function issueWithKey(
    name: string,
    purpose: readonly Extension[],
    serial?: string,
  ): Promise<Credential> {
    const own = await makeTlsKey();
    const publicKey = createPublicKey(parseKey(own));
    const { pem } = issueCertificate(issuer, { name, publicKey, purpose, serial });
    return { key: own, chain: pem + caPem };
  }

  return {
    name: caNameIn(subject),
    caPem,
    fingerprint: fingerprintOf(ca),
    notAfter: validity.notAfter.getTime().getTime(),
    issueServer: (names) =>
      issueWithKey('SRUP server', [
        extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth])),
        extension(id_ce_subjectAltName, new SubjectAlternativeName(names.map(toGeneralName))),
      ]),
    issueClient: (id, serial) => issueWithKey(identityText(id), CLIENT_ONLY, serial),
    issueDevice: async (id, csrPem, identityKey) => {
      const verdict = checkRequest(csrPem, id, identityKey);
      if (!verdict.ok) return verdict;
      // Name and key only: nothing else that the request asks for is signed.
      const { publicKey } = verdict;
      const certificate = issueCertificate(issuer, {
        name: identityText(id),
        publicKey,
        purpose: CLIENT_ONLY,
      });
      return { ok: true, certificate };
    },
    revocationList: (entries, number = BigInt(clock.now())) => {
      const [notBefore, notAfter] = [validity.notBefore.getTime(), validity.notAfter.getTime()];
      return makeCrl({ name: subject, key, notBefore, notAfter }, entries, number);
    },
  };
}

const CLIENT_ONLY = [extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_clientAuth]))];

function toGeneralName(name: string): GeneralName {
  return new GeneralName(isIP(name) === 0 ? { dNSName: name } : { iPAddress: name });
}
