import type { RequestOptions } from 'node:https';
import { connectUndated, tls, undatedBy } from '@srup/node';
import type { Clock } from '@srup/protocol';

const HTTPS_PORT = 443;

/**
 * The options with which a request over HTTPS connects. Every request has a connection of its own. `ca`: PEM of the only
 * certificates that are trusted, whatever the clock says; by default, those that Node.js and the system trust.
 */
export function connecting(url: URL, ca: string | undefined, clock: Clock): RequestOptions {
  const undated = ca === undefined ? undefined : undatedBy(clock, ca);
  if (undated === undefined) return { agent: false, minVersion: 'TLSv1.2', ca: ca ?? commonCas() };
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { createConnection: () => connectUndated({ host, port: Number(url.port || HTTPS_PORT) }, undated) };
}

function commonCas(): string[] {
  return [...tls().getCACertificates('default'), ...tls().getCACertificates('system')];
}
