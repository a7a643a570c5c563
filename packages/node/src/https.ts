import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { tls } from './builtin.ts';

const CONNECT_MS = 15_000;
/** For the TLS handshake after that: a server that a whole fleet asks at once lets in one after the other. */
const HANDSHAKE_MS = 60_000;
const HTTPS_PORT = 443;
/** Certificates of one chain. No honest server sends a longer one. */
const MAX_CHAIN = 10;

/** A certificate that a server presented. */
export interface SeenCertificate {
  readonly subject: string;
  /** SHA-256, 64 lower-case hex digits. */
  readonly fingerprint: string;
}

/**
 * The server's chain has no certificate with the pinned fingerprint: this is another server, or somebody is in
 * between.
 */
export class PinError extends Error {
  override readonly name = 'PinError';
  readonly wanted: string;
  readonly seen: readonly SeenCertificate[];

  constructor(url: string, wanted: string, seen: readonly SeenCertificate[]) {
    super(`${url} shows no certificate with the fingerprint ${wanted}`);
    this.wanted = wanted;
    this.seen = seen;
  }
}

/**
 * Fetches the CA certificate (PEM) that a server sends in its chain, by its SHA-256 fingerprint (P 8.6; 64 hex digits,
 * colons allowed). Rejects with `PinError`, or with the socket's error.
 *
 * Nothing else of the connection is trusted. Use the certificate as the only CA of a real request: that request proves
 * that the server holds a key certified by it.
 *
 * @example
 * const ca = await fetchPinnedCa('https://keys.example', fingerprint);
 */
export async function fetchPinnedCa(url: string, fingerprint: string, signal?: AbortSignal): Promise<string> {
  const wanted = fingerprint.replaceAll(':', '').toLowerCase();
  const chain = await fetchChain(new URL(url), signal);
  const found = chain.find((certificate) => fingerprintOf(certificate) === wanted);
  if (found !== undefined) return found.toString();
  const seen = chain.map((certificate) => ({
    subject: certificate.subject.replaceAll('\n', ', '),
    fingerprint: fingerprintOf(certificate),
  }));
  throw new PinError(url, wanted, seen);
}

/** The SHA-256 of a certificate, as 64 lower-case hex digits. */
export function fingerprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}

function fetchChain(url: URL, signal: AbortSignal | undefined): Promise<X509Certificate[]> {
  if (url.protocol !== 'https:') throw new TypeError(`${url.href} is not an https URL`);
  const host = url.hostname.replace(/^\[|\]$/g, ''); // of an IPv6 address
  const port = url.port === '' ? HTTPS_PORT : Number(url.port);
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const socket = tls().connect({
      host,
      port,
      ...(isIP(host) === 0 && { servername: host }),
      minVersion: 'TLSv1.2',
      rejectUnauthorized: false, // the fingerprint decides; no byte of content is exchanged
    });
    let waitMs = CONNECT_MS;
    socket.setTimeout(waitMs, () =>
      socket.destroy(new Error(`${url.host} did not answer in ${waitMs / 1000} s`)),
    );
    socket.once('connect', () => {
      waitMs = HANDSHAKE_MS;
      socket.setTimeout(waitMs);
    });
    const abort = () => socket.destroy(new Error('aborted'));
    signal?.addEventListener('abort', abort);
    socket.once('close', () => signal?.removeEventListener('abort', abort));
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(chainOf(socket));
      socket.destroy();
    });
  });
}

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: Partial<DetailedPeerCertificate> | undefined = socket.getPeerCertificate(true);
  // The chain of a self-signed certificate leads to itself.
  while (next?.raw !== undefined && chain.length < MAX_CHAIN) {
    const certificate = new X509Certificate(next.raw);
    if (chain.some((known) => known.raw.equals(certificate.raw))) break;
    chain.push(certificate);
    next = next.issuerCertificate;
  }
  return chain;
}
