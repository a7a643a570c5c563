/** A small key service over HTTPS (P 8), for tests of the agent alone; a test can make it lie, stop and refuse. */
import { createServer, type Server } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { bodyToPem, checkProof, generateKeys, proveText, type KeySet } from '@srup/node';
import type { SuiteName } from '@srup/protocol';
import type { TestCa } from '../../node/test/certificates.ts';

export interface TestReply {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}

export interface RegisteredDevice {
  readonly id: string;
  readonly type: string;
  readonly publicPem: string;
  readonly sealPem: string | undefined;
  state: 'registered' | 'validated' | 'certified';
}

export interface TestKeyService {
  readonly url: string;
  readonly devices: Map<string, RegisteredDevice>;
  /** Calls so far, e.g. `POST register`. */
  readonly calls: string[];
  readonly requests: { call: string; body: Record<string, unknown> }[];
  /** Connections so far. */
  readonly connections: () => number;
  /** Connections that are open now. */
  readonly open: () => Promise<number>;
  /** Answers a call in place of `usual`. `lost`: the call is done, and the connection cut before the answer. */
  interfere: (call: string, usual: () => Promise<TestReply>) => Promise<TestReply | 'lost'>;
  close(): Promise<void>;
}

export interface KeyServiceOptions {
  readonly ca: TestCa;
  readonly broker: string;
  readonly server: string;
  /** Public signing key of the C2 server, of each suite that is asked for. */
  readonly serverPem: (suite: SuiteName) => string;
  readonly port?: number;
  /** When the service's own certificate begins to be valid, ms from now. */
  readonly notBefore?: number;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

export async function startKeyService(options: KeyServiceOptions): Promise<TestKeyService> {
  const { ca, server } = options;
  const { certPem, key } = await ca.issue({
    commonName: 'key service',
    hosts: ['localhost', '127.0.0.1'],
    ...(options.notBefore !== undefined && { notBefore: options.notBefore }),
  });
  const own = new Map<SuiteName, KeySet>();
  const devices = new Map<string, RegisteredDevice>();

  async function usual(call: string, body: Record<string, string>): Promise<TestReply> {
    const { identity = '', signature = '' } = body;
    const device = devices.get(identity);
    switch (call) {
      case 'GET status':
        return { status: 200, body: { active: true, identity: server } };
      case 'POST register': {
        const publicPem = bodyToPem(body['key'] ?? '');
        const isSameAgain = device?.state === 'registered' && device.publicPem === publicPem;
        if (device !== undefined && !isSameAgain)
          return { status: 409, body: { error: 'duplicate', message: 'taken' } };
        const suite = suiteOf(publicPem);
        const keys = own.get(suite) ?? (await generateKeys(suite));
        own.set(suite, keys);
        const sealKey = body['sealKey'];
        const sealPem = sealKey === undefined ? undefined : bodyToPem(sealKey);
        devices.set(identity, {
          id: identity,
          type: body['type'] ?? '',
          publicPem,
          sealPem,
          state: 'registered',
        });
        return {
          status: 201,
          body: {
            broker: options.broker,
            key: base64(options.serverPem(suite)),
            default_c2: server,
            service_key: base64(keys.signing.publicPem),
          },
        };
      }
      case 'POST validate': {
        if (device === undefined) return { status: 404, body: { error: 'not-found', message: 'unknown' } };
        if (!checkProof(device.publicPem, identity, signature))
          return { status: 401, body: { error: 'bad-signature' } };
        device.state = 'validated';
        const keys = own.get(suiteOf(device.publicPem))!;
        return {
          status: 200,
          body: { identity: server, signature: proveText(keys.signing.privatePem, server) },
        };
      }
      case 'POST access': {
        if (device === undefined) return { status: 410, body: { error: 'gone', message: 'expired' } };
        if (device.state === 'registered') return { status: 409, body: { error: 'wrong-state' } };
        const csr = Buffer.from(body['csr'] ?? '', 'base64').toString();
        if (!checkProof(device.publicPem, csr, signature))
          return { status: 401, body: { error: 'bad-signature' } };
        device.state = 'certified';
        return {
          status: 200,
          body: { certificate: base64(await ca.sign(csr)), CA_certificate: base64(ca.pem) },
        };
      }
      default:
        return { status: 404, body: {} };
    }
  }

  const https: Server = createServer(
    { key: key.reveal(), cert: certPem + '\n' + ca.pem },
    (request, response) => {
      const call = `${request.method} ${request.url?.split('/').at(-1)}`;
      void readBody(request).then(async (body) => {
        service.calls.push(call);
        service.requests.push({ call, body });
        const reply = await service.interfere(call, () => usual(call, body));
        if (reply === 'lost') {
          request.socket.destroy();
          return;
        }
        response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
        response.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body));
      });
    },
  );
  let connections = 0;
  https.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => https.listen(options.port ?? 0, '127.0.0.1', resolve));
  const service: TestKeyService = {
    url: `https://localhost:${(https.address() as AddressInfo).port}`,
    devices,
    calls: [],
    requests: [],
    connections: () => connections,
    open: () => promisify(https.getConnections.bind(https))(),
    interfere: (_call, asUsual) => asUsual(),
    close: () =>
      new Promise((resolve) => {
        https.close(() => {
          resolve();
        });
        https.closeAllConnections();
      }),
  };
  return service;
}

function suiteOf(pem: string): SuiteName {
  const bytes = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64').length;
  return bytes < 100 ? 'ed25519' : bytes < 1000 ? 'rsa-sha256' : 'ml-dsa-65';
}

async function readBody(request: IncomingMessage): Promise<Record<string, string>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? {} : (JSON.parse(text) as Record<string, string>);
}
