import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { expect, test } from 'vitest';
import { makeCa } from '../../../node/test/certificates.ts';
import { greet } from './reach.ts';

test.each(['localhost', '127.0.0.1'])(
  'knocks at %s, and Node.js has nothing to say about it',
  async (host) => {
    const warnings: string[] = [];
    const warned = ({ message }: Error) => warnings.push(message);
    process.on('warning', warned);
    const ca = await makeCa();
    const { certPem, key } = await ca.issue({ commonName: 'server', hosts: [host] });
    const server = createServer({ cert: certPem, key: key.reveal() }, (socket) => socket.end()).listen(
      0,
      host,
    );
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const { refused, shown } = await greet(new URL(`mqtts://${host}:${port}`), { ca: ca.pem }, 5_000);
      expect(shown?.subject).toBe('CN=server');
      expect(refused).toBe('the connection was closed'); // not that the certificate is of another name
      expect(warnings).toEqual([]);
    } finally {
      process.off('warning', warned);
      server.close();
    }
  },
);
