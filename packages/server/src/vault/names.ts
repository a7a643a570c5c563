import { isIP } from 'node:net';
import { namesOf } from '../authority/certificate.ts';
import { VaultError } from './files.ts';

/** Names that are always in the server's certificate, for programs on the same machine. */
const LOCAL = ['localhost', '127.0.0.1', '::1'];
const HOST = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/**
 * The names for the server's certificate, in one spelling, sorted. Throws `VaultError` for a text that is neither a host
 * name nor an IP address.
 *
 * @example
 * certificateNames(['Fleet.example.org.']); // ['127.0.0.1', '::1', 'fleet.example.org', 'localhost']
 */
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

/** The names in a certificate that was issued, in the same spelling, sorted. */
export function namesIn(certificatePem: string): string[] {
  return namesOf(certificatePem)
    .map((name) => canonicalAddress(name) ?? name)
    .sort();
}

/** An IP address in its one spelling; undefined for any other text. */
function canonicalAddress(text: string): string | undefined {
  if (text.includes('%')) return undefined; // a zone is known on one machine only, so it does not belong in a certificate
  switch (isIP(text)) {
    case 4:
      return text;
    case 6:
      return new URL(`http://[${text}]`).hostname.slice(1, -1);
    default:
      return undefined;
  }
}
