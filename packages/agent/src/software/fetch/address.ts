import { isListedHost } from '@srup/protocol';

/** Rules for the places that software can come from (P 10.2). */
export interface AddressRules {
  readonly allowHttp: boolean;
  /** Host names, with or without a port (`host:port`); undefined: any host. */
  readonly hosts?: readonly string[] | undefined;
}

/**
 * Gives the address to fetch from, or why it is refused. It checks the URL of an INITIATE and the target of every redirect
 * alike, so a redirect can't reach what the first request couldn't (threat 13).
 */
export function judgeAddress(text: string, rules: AddressRules, base?: URL): URL | string {
  const url = URL.parse(text, base?.href);
  if (url === null) return 'the address is not a URL';
  if (base !== undefined && url.protocol !== base.protocol)
    return `a redirect from ${base.protocol} to ${url.protocol}`;
  const schemes = rules.allowHttp ? ['https:', 'http:'] : ['https:'];
  if (!schemes.includes(url.protocol)) return `the scheme ${url.protocol} is not allowed`;
  // User and password would appear in logs of the server, and redirects would pass them on.
  if (url.username !== '' || url.password !== '') return 'the address holds a name or a password';
  if (rules.hosts !== undefined && !isListed(url, rules.hosts)) return `the host ${url.host} is not allowed`;
  return url;
}

function isListed({ protocol, hostname, port }: URL, hosts: readonly string[]): boolean {
  return isListedHost(hosts, protocol.slice(0, -1), hostname, port);
}
