import { X509Certificate as NodeCertificate } from 'node:crypto';
import { isIP } from 'node:net';
import { fingerprintOf, type Secret } from '@srup/node';
import { identityText, type Clock, type Identity, type Random } from '@srup/protocol';
import { BACKDATED_MS, caNameIn, DAY_MS } from './ca.ts';
import { makeCrl, type RevokedEntry } from './crl.ts';
import { checkRequest, type CsrCode } from './csr.ts';
import { ECDSA_P256, makeTlsKey, newSerial, parseKey, publicPartOf, toSigner } from './keys.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  type Extension,
  type JsonGeneralName,
  type PublicKey,
} from './x509.ts';

/** Of every certificate but the CA's, from its first moment to its last (P 8.3). */
export const CERTIFICATE_DAYS = 365;

/** A private key with the chain that speaks for it, as TLS takes them. */
export interface Credential {
  readonly key: Secret;
  /** PEM: the certificate, then the CA's, so that who pins the CA finds it (P 8.6). */
  readonly chain: string;
}

export interface Issued {
  readonly pem: string;
  /** Hex. */
  readonly serial: string;
  /** Ms since 1970. */
  readonly notAfter: number;
}

export type IssueResult =
  | { readonly ok: true; readonly certificate: Issued }
  | { readonly ok: false; readonly code: CsrCode; readonly message: string };

/** The certificate authority of one server: whoever speaks TLS with that server trusts this one only. */
export interface Authority {
  /** The name that it was made with. */
  readonly name: string;
  readonly caPem: string;
  /** SHA-256 of the CA's certificate, 64 lower-case hex digits. */
  readonly fingerprint: string;
  /** End of the CA, ms since 1970. */
  readonly notAfter: number;
  /** For HTTPS and MQTTS at these DNS names and IP addresses, with a new key. */
  issueServer(names: readonly string[]): Promise<Credential>;
  /** For the server's own connection to the broker, with a new key; the common name is the identity (P 7.1). */
  issueClient(id: Identity, serial?: string): Promise<Credential>;
  /** For a device's request, after the checks of P 8.3. `identityKey`: PEM of its SRUP key. */
  issueDevice(id: Identity, csrPem: string, identityKey: string): Promise<IssueResult>;
  /** The CRL in PEM. `number`: ms since 1970 unless told; greater than that of the list before it. */
  revocationList(entries: readonly RevokedEntry[], number?: bigint): Promise<string>;
}

/**
 * Opens a CA by its key and certificate. Throws when they are no pair. `lifeMs`: of the certificates it issues, at most
 * 365 days (P 8.3).
 */
export async function openAuthority(
  keyPem: Secret,
  caPem: string,
  clock: Clock,
  random: Random,
  lifeMs = CERTIFICATE_DAYS * DAY_MS,
): Promise<Authority> {
  const key = parseKey(keyPem);
  const signingKey = toSigner(key);
  const ca = new X509Certificate(caPem);
  const node = new NodeCertificate(caPem);
  if (!node.checkPrivateKey(key)) throw new Error('the key of the CA does not belong to its certificate');
  const keyIdentifier = await ca.publicKey.getKeyIdentifier();
  const clientOnly = new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth]);

  async function issue(
    subject: string,
    publicKey: PublicKey,
    purpose: readonly Extension[],
    serial = newSerial(random),
  ): Promise<Issued> {
    const notBefore = clock.now() - Math.min(BACKDATED_MS, lifeMs / 10);
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serial,
      subject,
      issuer: ca.subjectName,
      notBefore: new Date(notBefore),
      notAfter: new Date(notBefore + lifeMs),
      signingKey,
      publicKey,
      signingAlgorithm: ECDSA_P256,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        ...purpose,
        await SubjectKeyIdentifierExtension.create(publicKey),
        new AuthorityKeyIdentifierExtension(Buffer.from(keyIdentifier).toString('hex')),
      ],
    });
    return {
      pem: `${certificate.toString('pem')}\n`,
      serial,
      notAfter: certificate.notAfter.getTime(),
    };
  }

  async function issueWithKey(
    subject: string,
    purpose: readonly Extension[],
    serial?: string,
  ): Promise<Credential> {
    const own = await makeTlsKey();
    const { pem } = await issue(subject, publicPartOf(parseKey(own)), purpose, serial);
    return { key: own, chain: pem + caPem };
  }

  return {
    name: caNameIn(ca.subjectName),
    caPem,
    fingerprint: fingerprintOf(node),
    notAfter: ca.notAfter.getTime(),
    issueServer: (names) =>
      issueWithKey('CN=SRUP server', [
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension(names.map(toGeneralName)),
      ]),
    issueClient: (id, serial) => issueWithKey(`CN=${identityText(id)}`, [clientOnly], serial),
    issueDevice: async (id, csrPem, identityKey) => {
      const verdict = await checkRequest(csrPem, id, identityKey);
      if (!verdict.ok) return verdict;
      // Name and key only: nothing else that the request asks for is signed.
      const certificate = await issue(`CN=${identityText(id)}`, verdict.publicKey, [clientOnly]);
      return { ok: true, certificate };
    },
    revocationList: (entries, number = BigInt(clock.now())) => {
      const { notBefore, notAfter } = ca;
      const name = ca.subjectName.toArrayBuffer();
      return makeCrl({ name, keyIdentifier, key, notBefore, notAfter }, entries, number);
    },
  };
}

function toGeneralName(name: string): JsonGeneralName {
  return { type: isIP(name) === 0 ? 'dns' : 'ip', value: name };
}
