/**
 * TLS for a device whose clock can't judge dates. A device whose clock was never set must be able to connect, or
 * nobody can help it (threat 25). Everything except the dates is checked here, because OpenSSL reports only its last
 * complaint: one about a date can hide one about a signature.
 */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import type { Clock } from '@srup/protocol';
import { tls } from './builtin.ts';

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

/** What is used in place of the clock. */
export interface Undated {
  /** PEM of the CAs that are trusted. They sign the certificates of servers themselves. */
  readonly ca: string;
  /** A time that has certainly come, ms since 1970. A certificate that ended before it is old by any clock. */
  readonly since: number;
}

/**
 * Decides whether the clock can judge dates; undefined if it can. It can't if it was never set, or if it shows a time
 * before one of the certificates (PEM) that this device trusts was made.
 *
 * @example
 * const undated = undatedBy(systemClock, caPem, ownCertificatePem);
 */
export function undatedBy(clock: Clock, ca: string, own?: string): Undated | undefined {
  const made = [...certificatesIn(ca), ...certificatesIn(own ?? '')].map((one) =>
    one.validFromDate.getTime(),
  );
  const since = Math.max(0, ...made);
  return clock.isTrusted() && clock.now() >= since ? undefined : { ca, since };
}

/**
 * Connects as `tls.connect` does, but ignores dates. `host` is a name or an address. Nothing is sent before the server
 * has proven who it is.
 */
export function connectUndated(
  options: ConnectionOptions & { readonly host: string },
  undated: Undated,
): TLSSocket {
  const { host } = options;
  const socket = tls().connect({
    ...options,
    ...(isIP(host) === 0 && { servername: host }),
    ca: undated.ca,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: false, // `guard` does
  });
  guard(socket, host, undated, (error) => socket.destroy(error));
  return socket;
}

/**
 * Guards a connection that was opened with `rejectUnauthorized: false`: `refuse` ends it before a byte goes out,
 * unless the server is the right one.
 */
export function guard(
  socket: TLSSocket,
  host: string,
  undated: Undated,
  refuse: (error: Error) => void,
): void {
  // This runs before all other listeners, in the turn in which the handshake ends. So nothing that waits is sent before.
  socket.prependOnceListener('secureConnect', () => {
    const fault = judgeUndated(socket, host, undated);
    if (fault !== undefined) refuse(fault);
  });
}

/** Judges the server at the other end after the handshake; undefined if it is the right one. */
export function judgeUndated(socket: TLSSocket, host: string, { ca, since }: Undated): Error | undefined {
  try {
    const leaf = socket.getPeerX509Certificate();
    if (leaf === undefined || !isSignedByOne(leaf, certificatesIn(ca)))
      return faultOf('UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'the certificate is not signed by the pinned CA');
    // A device of the same CA has a certificate too: for a client.
    const uses = leaf.keyUsage as string[] | undefined;
    if (leaf.ca || (uses !== undefined && !uses.includes(SERVER_AUTH)))
      return faultOf('INVALID_PURPOSE', 'the certificate is not one of a server');
    if (leaf.validToDate.getTime() < since)
      return faultOf(
        'CERT_HAS_EXPIRED',
        'certificate has expired: another one that is known was made after its end',
      );
    return tls().checkServerIdentity(host, leaf.toLegacyObject());
  } catch (error) {
    return error instanceof Error ? error : new Error('the certificate can not be judged');
  }
}

function isSignedByOne(leaf: X509Certificate, cas: readonly X509Certificate[]): boolean {
  return cas.some((ca) => ca.ca && leaf.checkIssued(ca) && leaf.verify(ca.publicKey));
}

function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

function faultOf(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
