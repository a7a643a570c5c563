/** A real broker over real TLS, which a test can hurt. */
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { createServer, type TLSSocket } from 'node:tls';
import { Aedes, type Client, type PublishPacket } from 'aedes';
import { makeCa, type Issued, type TestCa } from './certificates.ts';

export interface TestBroker {
  readonly ca: TestCa;
  readonly url: string;
  readonly port: number;
  readonly aedes: Aedes;
  /** CNs of the clients connected now. */
  clients(): string[];
  isListening(): boolean;
  /** Ends every connection without a word and refuses new ones; the sessions stay. */
  kill(): Promise<void>;
  /** Listens again, on the same port. */
  revive(): Promise<void>;
  /** Certificate for a client of this name. */
  issue(commonName: string): Promise<Issued>;
  /** Says something as somebody who may say anything. */
  publish(packet: Pick<PublishPacket, 'topic' | 'payload'> & Partial<PublishPacket>): Promise<void>;
  close(): Promise<void>;
}

export async function startBroker(ca?: TestCa): Promise<TestBroker> {
  const authority = ca ?? (await makeCa());
  const { certPem, key } = await authority.issue({
    commonName: 'localhost',
    hosts: ['localhost', '127.0.0.1'],
  });
  const aedes = await Aedes.createBroker();
  markRepeated(aedes);
  const sockets = new Set<Socket>();
  const names = new Map<Client, string>();
  aedes.on('client', (client) =>
    names.set(client, (client.conn as TLSSocket).getPeerCertificate().subject.CN as string),
  );
  aedes.on('clientDisconnect', (client) => names.delete(client));
  const server = createServer(
    { key: key.reveal(), cert: certPem, ca: authority.pem, requestCert: true, rejectUnauthorized: true },
    aedes.handle,
  );
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const listen = (port: number) =>
    new Promise<number>((resolve) =>
      server.listen(port, '127.0.0.1', () => {
        resolve((server.address() as { port: number }).port);
      }),
    );
  const port = await listen(0);
  const kill = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    ca: authority,
    port,
    url: `mqtts://localhost:${port}`,
    aedes,
    clients: () => [...names.values()],
    isListening: () => server.listening,
    kill,
    revive: async () => {
      await listen(port);
    },
    issue: (commonName) => authority.issue({ commonName }),
    publish: (packet) =>
      new Promise((resolve, reject) => {
        aedes.publish({ cmd: 'publish', qos: 1, dup: false, retain: false, ...packet }, (error) => {
          if (error) reject(error);
          else resolve();
        });
      }),
    close: async () => {
      if (server.listening) await kill();
      await new Promise<void>((resolve) => {
        aedes.close(() => {
          resolve();
        });
      });
    },
  };
}

interface Queued extends PublishPacket {
  /** Undefined until it is sent. */
  readonly messageId?: number;
}

/** Sets DUP on what a client gets a second time (MQTT 3.3.1.1), which aedes does not. */
function markRepeated(aedes: Aedes): void {
  // Its own types leave the persistence out.
  const { persistence } = aedes as unknown as { persistence: { outgoingStream(client: Client): Readable } };
  const stream = persistence.outgoingStream.bind(persistence);
  persistence.outgoingStream = (client) =>
    stream(client).map((packet: Queued) => ({ ...packet, dup: packet.messageId !== undefined }));
}
