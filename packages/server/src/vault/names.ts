import { isIP } from 'node:net';
import { SubjectAlternativeNameExtension, X509Certificate } from '../authority/x509.ts';
import { VaultError } from './files.ts';

/** Always in the server's certificate: for what runs on the same machine. */
const LOCAL = ['localhost', '127.0.0.1', '::1'];
const HOST = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** The names for the server's certificate, in one spelling, sorted. Throws for what is neither name nor address. */
export function certificateNames(names: readonly string[]): string[] {
  const all = [...LOCAL, ...names].map((name) => {
    const address = canonicalAddress(name.replace(/^\[|\]$/g, ''));
    const plain = address ?? name.toLowerCase().replace(/\.$/, '');
    if (address === undefined && !HOST.test(plain)) {
      throw new VaultError(
        `"${name}" is neither a host name nor an IP address. Give the server's names as devices write them in URLs, e.g. fleet.example.org or 192.0.2.7.`,
      );
    }
    return plain;
  });
  return [...new Set(all)].sort();
}

/** The same of a certificate that was issued. */
export function namesIn(certificatePem: string): string[] {
  const certificate = new X509Certificate(certificatePem);
  const alternatives = certificate.getExtension(SubjectAlternativeNameExtension);
  const names = alternatives?.names.items.map(({ value }) => canonicalAddress(value) ?? value) ?? [];
  return names.sort();
}

/** One spelling of an IP address; undefined for what is none. */
function canonicalAddress(text: string): string | undefined {
  if (text.includes('%')) return undefined; // a zone of one machine: not for certificates
  switch (isIP(text)) {
    case 4:
      return text;
    case 6:
      return new URL(`http://[${text}]`).hostname.slice(1, -1);
    default:
      return undefined;
  }
}
