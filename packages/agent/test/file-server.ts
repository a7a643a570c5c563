/** A server of files that can be told to misbehave. */
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Issued } from '../../node/test/certificates.ts';

export interface FileServer {
  /** Without a slash at its end. */
  readonly url: string;
  close(): Promise<void>;
}

export async function serve(
  listener: RequestListener,
  { issued, host = 'localhost' }: { issued?: Issued; host?: string } = {},
): Promise<FileServer> {
  const server =
    issued === undefined
      ? createHttpServer(listener)
      : createHttpsServer({ key: issued.key.reveal(), cert: issued.certPem }, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${issued === undefined ? 'http' : 'https'}://${host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** Serves `content` the way a good server does: ETag, Range, If-Range. `cut`: bytes after which the socket is destroyed. */
export function fileListener(
  content: Uint8Array,
  etag: string,
  cut: () => number | undefined,
): RequestListener {
  return (request, response) => {
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const isRange = range !== null && request.headers['if-range'] === etag;
    const from = isRange ? Number(range[1]) : 0;
    const body = content.subarray(from);
    const headers: Record<string, string | number> = { etag, 'content-length': body.length };
    if (isRange) headers['content-range'] = `bytes ${from}-${content.length - 1}/${content.length}`;
    response.writeHead(isRange ? 206 : 200, headers);
    const limit = cut();
    if (limit === undefined) {
      response.end(body);
      return;
    }
    response.write(body.subarray(0, limit), () => {
      request.socket.destroySoon();
    });
  };
}
