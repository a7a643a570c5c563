/** A hostile server in place of the one from which devices download software. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer as createPlainServer, type RequestListener, type Server } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Arena } from './arena.ts';

export interface Mirror {
  readonly port: number;
  /** What it was asked for: paths. */
  readonly asked: readonly string[];
}

/** Starts a mirror, which ends with the arena. `pem`: key and certificate; by default the real server's, which devices trust. */
export async function startMirror(arena: Arena, listener: RequestListener, pem?: string): Promise<Mirror> {
  const credential =
    pem ?? (await readFile(join(arena.ground.folder, 'server', 'tls', 'server.pem'), 'utf8'));
  return listen(arena, createServer({ key: credential, cert: credential }), listener);
}

/** The same without TLS. */
export function startPlainMirror(arena: Arena, listener: RequestListener): Promise<Mirror> {
  return listen(arena, createPlainServer(), listener);
}

async function listen(arena: Arena, server: Server, listener: RequestListener): Promise<Mirror> {
  const asked: string[] = [];
  server.on('request', (request, response) => {
    asked.push(request.url ?? '');
    response.on('error', () => undefined);
    listener(request, response);
  });
  server.on('connection', (socket) => socket.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  arena.ground.later(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, asked };
}
