import { constants } from 'node:crypto';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';
import type { Credential } from '../authority/authority.ts';
import { addTurnstile, HANDSHAKE_MS } from '../tls/turnstile.ts';
import type { Verdict } from './rules.ts';

/** Milliseconds of silence after which TCP asks whether the peer is still there. */
const KEEPALIVE_MS = 60_000;

/** Thrown when the broker can't listen. The message says why and what to do. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError';
}

export interface BrokerTls {
  readonly credential: Credential;
  /** PEM of the only CA whose certificates the broker accepts. */
  readonly ca: string;
  /** The revocation list of that CA, in PEM. */
  readonly crl: string;
}

export interface Listener {
  readonly port: number;
  /** Sets a new certificate or revocation list, for connections from now on. */
  setTls(changes: Partial<BrokerTls>): void;
  close(): Promise<void>;
}

export interface ListenerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** When it is undefined, anybody can connect, unencrypted (P 7.5). */
  readonly tls: BrokerTls | undefined;
  onSocket(socket: Socket): void;
  onRefused(verdict: Verdict): void;
}

/**
 * Listens for MQTT clients. With TLS, `onSocket` gets only sockets whose client certificate is valid. Rejects with
 * `BrokerError`.
 */
export async function listen(options: ListenerOptions): Promise<Listener> {
  let { tls } = options;
  const sockets = new Set<Socket>();
  const receive = (socket: Socket): void => {
    socket.setKeepAlive(true, KEEPALIVE_MS);
    socket.setNoDelay(true);
    options.onSocket(socket);
  };
  const secure = tls === undefined ? undefined : createTlsServer(tlsOptions(tls), receive);
  const server: Server = secure ?? createServer(receive);
  if (secure !== undefined) addTurnstile(secure);
  secure?.on('tlsClientError', (error, socket) => {
    options.onRefused({ code: 'BROKER_TLS', detail: reasonOf(error, socket) });
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await startListening(server, options);

  return {
    port: (server.address() as AddressInfo).port,
    setTls: (changes) => {
      if (tls === undefined) return;
      tls = { ...tls, ...changes };
      secure?.setSecureContext(tlsOptions(tls));
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function tlsOptions({ credential, ca, crl }: BrokerTls): TlsOptions {
  return {
    key: credential.key.reveal(),
    cert: credential.chain,
    ca,
    crl,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    handshakeTimeout: HANDSHAKE_MS,
    // Every connection shows its certificate: a resumed one would not be checked against a newer revocation list.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Says why the handshake failed. For a certificate that was refused, only the socket knows the reason. */
function reasonOf(error: Error, socket: TLSSocket): string {
  const { authorizationError } = socket as unknown as { authorizationError?: Error | string | null };
  return String(authorizationError ?? (error as NodeJS.ErrnoException).code ?? error.message);
}

function startListening(server: Server, { host, port }: ListenerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      reject(new BrokerError(explain(error, host, port), { cause: error }));
    };
    server.once('error', fail);
    server.listen({ host, port }, () => {
      server.off('error', fail);
      resolve();
    });
  });
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): string {
  const start = `The broker can't listen on ${host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return `${start}: another program listens there. Stop it, or choose another port.`;
    case 'EACCES':
      return `${start}: this user may not use that port. Choose one above 1023.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${start}: this machine has no such address. Choose one of its own, or 0.0.0.0 for all.`;
    default:
      return `${start}: ${error.message}`;
  }
}
