/** A proxy that reads the protocol of PostgreSQL, and does something to a connection at a named message. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** What happens to the connection on which a COMMIT is sent. */
export type Fate =
  /** It is cut before the COMMIT reaches PostgreSQL. */
  | 'cut-before'
  /** The COMMIT is let through, and the connection is cut when PostgreSQL has answered; the answer is lost. */
  | 'cut-after'
  /** The COMMIT is let through, and nothing comes back any more, nor goes through. */
  | 'silence';

export interface WireProxy {
  readonly port: number;
  /** COMMITs that were met. */
  readonly commits: number;
  /** The next COMMIT has this fate. Resolves when it has happened. */
  readonly atNextCommit: (fate: Fate) => Promise<void>;
  /** While shut, connections are accepted and closed at once. */
  readonly setShut: (isShut: boolean) => void;
  /** Ends all connections. */
  readonly cut: () => void;
  /** From now on nothing goes through on connections that are open, either way; they stay open. */
  readonly swallow: () => void;
  /** The same URL through this proxy. */
  readonly through: (url: string) => string;
  readonly close: () => Promise<void>;
}

/** A simple query: the letter, four bytes of its length, the text, a zero. */
const COMMIT = Buffer.from('Q\0\0\0\x0bcommit\0');

export async function startWireProxy(target: number): Promise<WireProxy> {
  const open = new Set<Socket>();
  const swallowed = new WeakSet<Socket>();
  let commits = 0;
  let isShut = false;
  let next: { readonly fate: Fate; readonly done: () => void } | undefined;

  const server = createServer((near) => {
    near.on('error', () => undefined);
    if (isShut) {
      near.destroy();
      return;
    }
    const far = connect(target, '127.0.0.1');
    let fate: Fate | undefined;
    const end = (): void => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      open.add(socket);
      socket
        .on('error', () => undefined)
        .on('close', () => {
          open.delete(socket);
          if (swallowed.has(near)) return; // the network tells nobody
          end();
        });
    }
    near.on('data', (chunk: Buffer) => {
      if (swallowed.has(near)) return;
      if (chunk.includes(COMMIT)) {
        commits += 1;
        const planned = next;
        if (planned !== undefined) {
          next = undefined;
          fate = planned.fate;
          if (fate === 'cut-before') end();
          if (fate === 'silence') {
            far.write(chunk);
            swallowed.add(near);
          }
          if (fate === 'cut-after') {
            far.once('data', () => {
              end();
              planned.done();
            });
            far.write(chunk);
          } else planned.done();
          return;
        }
      }
      far.write(chunk);
    });
    far.on('data', (chunk: Buffer) => {
      if (swallowed.has(near) || fate === 'cut-after') return;
      near.write(chunk);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    get commits() {
      return commits;
    },
    atNextCommit: (fate) =>
      new Promise((done) => {
        next = { fate, done };
      }),
    setShut: (shut) => {
      isShut = shut;
    },
    cut: () => {
      for (const socket of open) socket.destroy();
    },
    swallow: () => {
      for (const socket of open) swallowed.add(socket);
    },
    through: (url) => {
      const changed = new URL(url);
      changed.port = String(port);
      return changed.href;
    },
    close: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
