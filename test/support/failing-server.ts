import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** An HTTPS server that answers everything with 500. */
export interface FailingServer {
  readonly port: number;
  /** Method and path of each request. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

/** `pemFile`: key and certificate chain in one file. */
export async function startFailingServer(pemFile: string): Promise<FailingServer> {
  const pem = await readFile(pemFile);
  const asked: string[] = [];
  const server = createServer({ key: pem, cert: pem }, ({ method, url }, response) => {
    asked.push(`${method} ${url}`);
    response.writeHead(500).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
