import type { DeviceFacts } from '../device-step.ts';

/** Characters of a URL that an INITIATE can carry. The device keeps it in its state. */
export const MAX_URL_LENGTH = 2048;

/**
 * Scheme, host, port, rest. Readers of URLs disagree about user names, backslashes, white space and escapes in the
 * host. None of these passes, so the host that is checked here is the host that is asked.
 */
const URL_FORM = /^(https?):\/\/([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(?:[/?#][!-~]*)?$/i;
const FORBIDDEN = /["<>\\^`{|}]/;

/** P 10.2: https, or http if the owner allows it by name; from a host of the list, if there is one. */
export function isAllowedUrl(
  url: string,
  { allowHttp, hosts }: Pick<DeviceFacts, 'allowHttp' | 'hosts'>,
): boolean {
  if (url.length > MAX_URL_LENGTH || FORBIDDEN.test(url)) return false;
  const [, scheme, host, port = ''] = URL_FORM.exec(url) ?? [];
  if (scheme === undefined || host === undefined) return false;
  if (scheme.toLowerCase() !== 'https' && !allowHttp) return false;
  return hosts === undefined || isListedHost(hosts, scheme.toLowerCase(), host, port.slice(1));
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { https: '443', http: '80' };

/**
 * Tells whether the owner's list names this host (P 10.2), with this port or without any. The first address and those
 * of redirects are judged alike. `port`: empty for the port of the scheme, which is `https` or `http`.
 *
 * @example
 * isListedHost(['files.example', 'other.example:8443'], 'https', 'files.example', ''); // true
 */
export function isListedHost(hosts: readonly string[], scheme: string, host: string, port: string): boolean {
  const name = host.toLowerCase();
  const full = `${name}:${port === '' ? DEFAULT_PORTS[scheme] : port}`;
  return hosts.map((listed) => listed.toLowerCase()).some((listed) => listed === name || listed === full);
}
