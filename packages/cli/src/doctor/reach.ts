/** Finds out what a port answers. */
import type { X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { createServer, isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { whyUnreached } from '../client/transport.ts';
import { failed, ok, warning, type Judgement } from './finding.ts';

const TIMEOUT_MS = 8_000;
/** Milliseconds by which two clocks may differ; tokens and certificates tolerate more. */
const CLOCKS_MS = 60_000;
const BYTES = 1 << 20;

export interface Reply {
  readonly status: number;
  readonly body: string;
  /** The time of the server's clock, in ms since 1970, rounded to a second. */
  readonly date: number;
}

/** Sends a GET over TLS that trusts only this CA; undefined: the CAs of the system. */
export function get(url: string, ca: string | undefined): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent: false, ...(ca !== undefined && { ca }) }, (incoming) => {
      let body = '';
      incoming.setEncoding('utf8').on('data', (text: string) => {
        if (body.length < BYTES) body += text;
      });
      incoming.once('end', () => {
        const date = Date.parse(incoming.headers.date ?? '');
        resolve({ status: incoming.statusCode ?? 0, body, date });
      });
      incoming.once('error', reject);
    });
    outgoing.setTimeout(TIMEOUT_MS, () => outgoing.destroy(new Error('no answer in time')));
    outgoing.once('error', reject);
    outgoing.end();
  });
}

export function judgeClock(date: number, now: number, whose: string): Judgement {
  if (Number.isNaN(date)) return warning(`${whose} sends no time`, 'Check the clock in another way.');
  const apart = Math.abs(now - date);
  const what = `the clock here differs by ${Math.round(apart / 1000)} s from that of ${whose}`;
  return apart > CLOCKS_MS ? failed(what, 'Set the clock of this machine (NTP), or of that one.') : ok(what);
}

export interface Greeting {
  /** Why the right server was not reached, so that it could not refuse. */
  readonly unreached?: string;
  /** How the server refused the connection. */
  readonly refused?: string;
  /** The server's certificate, if the handshake got that far. */
  readonly shown?: X509Certificate;
}

/** Makes a TLS handshake, with or without a certificate, and then waits whether the server ends the connection. */
export function greet(
  url: URL,
  options: { readonly ca: string; readonly cert?: string; readonly key?: string },
  patienceMs: number,
): Promise<Greeting> {
  return new Promise((resolve) => {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const socket: TLSSocket = connect({
      host,
      port: Number(url.port),
      ...(isIP(host) === 0 && { servername: host }),
      minVersion: 'TLSv1.2',
      ...options,
    });
    let shown: X509Certificate | undefined;
    const end = (greeting: Greeting): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ ...greeting, ...(shown !== undefined && { shown }) });
    };
    /** Only an alert, or an end after the handshake, is a refusal. */
    const fail = (why: string, isAlert = false): void => {
      end(isAlert || shown !== undefined ? { refused: why } : { unreached: why });
    };
    let timer = setTimeout(fail, TIMEOUT_MS, 'no answer in time');
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      shown = socket.getPeerX509Certificate();
      // With TLS 1.3 a client's certificate is refused after the handshake.
      timer = setTimeout(end, patienceMs, {});
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      fail(whyUnreached(error), /^TLS: .*\balert\b/.test(whyUnreached(error)));
    });
    socket.once('close', () => {
      fail('the connection was closed');
    });
  });
}

/** What uses the port; undefined if no program listens there. */
export async function whyTaken(port: number): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? error.message);
    });
    server.listen(port, () => {
      server.close(() => {
        resolve(undefined);
      });
    });
  });
}
