import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Forwards TCP to a port, cuts connections on request, and can lead new ones elsewhere. */
export interface CuttingProxy {
  readonly port: number;
  /** How many connections were cut. */
  readonly cuts: number;
  /** Bytes that came back to all clients together. */
  readonly bytesBack: number;
  /** Cuts a connection once this many bytes came back through it; does so `times` times. */
  cutAfter(bytes: number, times: number): void;
  /** Ends every connection now. */
  cutAll(): void;
  /** Leads connections that are opened from now on to this port; undefined: they are accepted and closed. */
  leadTo(target: number | undefined): void;
  close(): Promise<void>;
}

/** `onBytes` sees what passes, both ways. */
export async function startCuttingProxy(
  first: number,
  onBytes: (chunk: Buffer) => void = () => undefined,
): Promise<CuttingProxy> {
  const open = new Set<Socket>();
  let limit = Number.POSITIVE_INFINITY;
  let left = 0;
  let cuts = 0;
  let bytesBack = 0;
  let target: number | undefined = first;
  const server = createServer((near) => {
    if (target === undefined) {
      near.on('error', () => undefined).destroy();
      return;
    }
    const far = connect(target, '127.0.0.1');
    let back = 0;
    for (const socket of [near, far]) {
      open.add(socket);
      socket
        .on('error', () => undefined)
        .on('close', () => {
          open.delete(socket);
          near.destroy();
          far.destroy();
        });
    }
    near.on('data', onBytes).pipe(far);
    far.on('data', (chunk: Buffer) => {
      onBytes(chunk);
      // Forwards one chunk after the other, so that a cut loses nothing that was counted before.
      far.pause();
      near.write(chunk, (error) => {
        if (error) return;
        back += chunk.length;
        bytesBack += chunk.length;
        if (back < limit || left === 0) {
          far.resume();
          return;
        }
        left -= 1;
        cuts += 1;
        near.destroy();
      });
    });
    far.on('end', () => near.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get cuts() {
      return cuts;
    },
    get bytesBack() {
      return bytesBack;
    },
    leadTo: (next) => {
      target = next;
    },
    cutAll: () => {
      for (const socket of open) socket.destroy();
    },
    cutAfter: (bytes, times) => {
      limit = bytes;
      left = times;
    },
    close: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
