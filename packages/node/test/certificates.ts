/** Certificates for tests: a CA, and what it issues. */
import 'reflect-metadata';
import { KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { Secret } from '../src/index.ts';

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const HOUR_MS = 3_600_000;

export interface Issued {
  readonly certPem: string;
  readonly key: Secret;
}

export interface IssueOptions {
  readonly commonName: string;
  /** Host names and addresses of a server. */
  readonly hosts?: readonly string[];
  /** From now, in ms. */
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** A certificate that only a client can use. */
  readonly isClient?: boolean;
}

export interface TestCa {
  readonly pem: string;
  readonly fingerprint: string;
  readonly key: Secret;
  issue(options: IssueOptions): Promise<Issued>;
  /** For the public key of a certificate request. */
  sign(csrPem: string): Promise<string>;
}

export async function makeCa(name = 'Test CA'): Promise<TestCa> {
  const keys = await newKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: EC,
    notBefore: new Date(Date.now() - HOUR_MS),
    notAfter: new Date(Date.now() + HOUR_MS),
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  const certify = async (publicKey: webcrypto.CryptoKey | x509.PublicKey, options: IssueOptions) => {
    const certificate = await x509.X509CertificateGenerator.create({
      subject: `CN=${options.commonName}`,
      issuer: root.subject,
      publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: EC,
      notBefore: new Date(Date.now() + (options.notBefore ?? -HOUR_MS)),
      notAfter: new Date(Date.now() + (options.notAfter ?? HOUR_MS)),
      extensions: [
        new x509.SubjectAlternativeNameExtension(
          (options.hosts ?? []).map((host) => ({ type: /^[\d.]+$/.test(host) ? 'ip' : 'dns', value: host })),
        ),
        ...(options.isClient === true
          ? [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])]
          : []),
      ],
    });
    return certificate.toString('pem');
  };
  return {
    pem: root.toString('pem'),
    key: new Secret(pemOf(keys.privateKey)),
    fingerprint: Buffer.from(await root.getThumbprint('SHA-256')).toString('hex'),
    issue: async (options) => {
      const own = await newKeys();
      return { certPem: await certify(own.publicKey, options), key: new Secret(pemOf(own.privateKey)) };
    },
    sign: async (csrPem) => {
      const request = new x509.Pkcs10CertificateRequest(csrPem);
      if (!(await request.verify())) throw new Error('the request is not signed by its own key');
      const [commonName = ''] = request.subjectName.getField('CN');
      return certify(request.publicKey, { commonName });
    },
  };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(EC, true, ['sign', 'verify']);
}

function pemOf(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
}
