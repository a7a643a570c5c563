import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '@srup/node';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeCa, type TestCa } from '../../../../node/test/certificates.ts';
import { createTransport } from './transport.ts';

const host = 'localhost';
/** Shorter than the handshake of the slow server takes, and much longer. */
const WAITS = { connectMs: 150, handshakeMs: 1_000 };

let ca: TestCa;
let server: Server;
let sockets: Socket[];
let onSocket: (socket: Socket) => void;

beforeAll(async () => {
  ca = await makeCa();
});

beforeEach(async () => {
  sockets = [];
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

function get(scheme: string) {
  const transport = createTransport({ ca: ca.pem, pinnedHost: host, mode: 'pinned' }, systemClock, WAITS);
  const { port } = server.address() as AddressInfo;
  return transport.get(new URL(`${scheme}://${host}:${port}/file`), {}, AbortSignal.timeout(10_000));
}

test('a busy server may take longer for the handshake than for the connection', async () => {
  const { key, certPem } = await ca.issue({ commonName: host, hosts: [host] });
  const behind = createTlsServer({ key: key.reveal(), cert: certPem }, (socket) => {
    socket.end('HTTP/1.1 204 No Content\r\n\r\n');
  });
  onSocket = (socket) => {
    void sleep(2 * WAITS.connectMs).then(() => behind.emit('connection', socket));
  };
  expect((await get('https')).status).toBe(204);
});

test('a server that never shakes hands is given up', async () => {
  onSocket = () => undefined;
  await expect(get('https')).rejects.toThrow('no TLS handshake within 1 s');
});
