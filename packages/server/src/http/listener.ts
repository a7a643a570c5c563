/** The HTTPS port. It is bound before anything is served on it, so that whoever tells its URL knows the port. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Credential } from '../authority/authority.ts';
import { PATIENCE } from './patience.ts';
import { addTurnstile, HANDSHAKE_MS } from '../tls/turnstile.ts';
import { refuseWhileStarting } from './starting.ts';

/** Milliseconds within which the headers of a request must arrive: a slow client can't hold a connection for long. */
const HEADERS_MS = 15_000;
/** Milliseconds that a connection stays open after an answer, for the next request. */
const KEEP_ALIVE_MS = 72_000;

export interface HttpsOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly credential: Credential;
  /** Milliseconds after which a connection on which nothing moves is closed; `PATIENCE.idleMs` by default. */
  readonly idleMs?: number;
}

/** What answers requests; a Fastify instance is one. */
export interface RequestHandler {
  routing(request: IncomingMessage, response: ServerResponse): void;
}

export interface HttpsListener {
  readonly port: number;
  readonly server: Server;
  /** The start waits for the database. Answers before `serve` say so from now on. */
  tellDatabaseAway(): void;
  /** Answers requests from now on. */
  serve(handler: RequestHandler): void;
  /** Sets a new certificate, for connections from now on. */
  setTls(credential: Credential): void;
  /** Ends all connections. */
  close(): Promise<void>;
}

/**
 * Listens for HTTPS connections. A request that comes before `serve` is refused with 503. Rejects with the error of the
 * operating system when it can't listen.
 *
 * @example
 * const listener = await listenHttps({ host: '127.0.0.1', port: 0, credential });
 * listener.serve(app);
 */
export async function listenHttps(options: HttpsOptions): Promise<HttpsListener> {
  const { host, port, credential, idleMs = PATIENCE.idleMs } = options;
  let isDatabaseAway = false;
  let handler: RequestHandler = {
    routing: (request, response) => {
      refuseWhileStarting(request, response, isDatabaseAway);
    },
  };
  const sockets = new Set<Socket>();
  const server = createServer({ ...tlsOptions(credential), headersTimeout: HEADERS_MS });
  addTurnstile(server);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.requestTimeout = 0; // patience.ts limits the time of a body: an upload may take as long as it moves
  server.setTimeout(idleMs);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('request', (request, response) => {
    handler.routing(request, response);
  });
  await bind(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    server,
    tellDatabaseAway: () => {
      isDatabaseAway = true;
    },
    serve: (serving) => {
      handler = serving;
    },
    setTls: (renewed) => {
      server.setSecureContext(tlsOptions(renewed));
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

function tlsOptions({ key, chain }: Credential) {
  const tls = { key: key.reveal(), cert: chain, minVersion: 'TLSv1.2' } as const;
  return { ...tls, handshakeTimeout: HANDSHAKE_MS };
}

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
