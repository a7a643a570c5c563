/** A key service as pySRUP's authors published it, with the endpoints that their clients of release 6 want besides. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { bodyOf } from './key-exchange.ts';
import type { PemPair } from './party.ts';
import { base64Lines, isProven, prove } from './wire.ts';

export interface KeyServiceOptions {
  /** Key and certificate of its HTTPS port. */
  readonly tls: { readonly key: string; readonly certificate: string };
  readonly broker: string;
  readonly c2: string;
  /** Its own: nobody is told the public one but the C2 server. */
  readonly keys: PemPair;
  readonly ca: { readonly pem: string; sign(csrPem: string): Promise<string> };
}

export interface ServedCall {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly request?: Record<string, string>;
  readonly response: string;
}

export interface ReferenceKeyService {
  readonly url: string;
  readonly calls: ServedCall[];
  /** The answer to the next call of this path is lost on its way. */
  loseNext(path: string): void;
  close(): Promise<void>;
}

interface Known {
  readonly pem: string;
  readonly type: string;
}

type Reply = readonly [status: number, text: string];

export async function startReferenceKeyService(options: KeyServiceOptions): Promise<ReferenceKeyService> {
  const { broker, c2, keys, ca } = options;
  const known = new Map<string, Known>();
  const calls: ServedCall[] = [];
  const lost = new Set<string>();

  async function answer(route: string, id: string, body: Record<string, string>): Promise<Reply> {
    const { identity = '', signature = '' } = body;
    const device = known.get(id === '' ? identity : id);
    switch (route) {
      case 'GET status':
        return [200, json({ active: true, identity: c2 })];
      case 'POST register': {
        if (device !== undefined)
          return [400, `Device ID ${identity} already exists; and could not be added.`];
        known.set(identity, { pem: pemOf(body['key'] ?? ''), type: body['type'] ?? '' });
        const key = Buffer.from(known.get(c2)?.pem ?? '').toString('base64');
        return [201, json({ broker, key, default_c2: c2 })];
      }
      case 'POST validate':
        if (!isProven(identity, signature, device?.pem ?? '')) return [400, 'The signature did not verify'];
        return [200, json({ identity: c2, signature: prove(c2, keys.privateKeyPem) })];
      case 'POST access': {
        const csr = Buffer.from(body['csr'] ?? '', 'base64').toString();
        if (!isProven(csr, signature, device?.pem ?? '')) return [400, 'The CSR data did not verify'];
        const certificate = base64Lines(await ca.sign(csr));
        return [200, json({ certificate, CA_certificate: base64Lines(ca.pem) })];
      }
      case 'POST c2':
        known.set(identity, { pem: pemOf(body['key'] ?? ''), type: 'C2' });
        return [201, json({ broker, key: bodyOf(keys.publicKeyPem) })];
      case 'GET c2_check':
        return device?.type === 'C2' ? [200, 'yes'] : [404, 'no'];
      case 'GET get_key':
        return device === undefined ? UNKNOWN : [200, base64Lines(device.pem)];
      case 'GET get_type':
        return device === undefined ? UNKNOWN : [200, device.type];
      default:
        return [404, 'Not Found'];
    }
  }

  async function serve(incoming: IncomingMessage): Promise<Reply> {
    const { method = '', url = '' } = incoming;
    const [, , , path = '', id = ''] = url.split('/'); // /KeyEx/register/PATH/ID
    const text = await readText(incoming);
    const body = text === '' ? undefined : (JSON.parse(text) as Record<string, string>);
    const [status, response] = await answer(`${method} ${path}`, id, body ?? {});
    calls.push({ method, path: url, status, response, ...(body && { request: body }) });
    return [status, lost.delete(path) ? LOST : response];
  }

  const https = createServer(
    { key: options.tls.key, cert: options.tls.certificate },
    (incoming, outgoing) => {
      serve(incoming).then(
        ([status, text]) => {
          if (text === LOST) incoming.socket.destroy();
          // Flask calls what is a text HTML, JSON or not.
          else outgoing.writeHead(status, { 'content-type': 'text/html; charset=utf-8' }).end(text);
        },
        () => outgoing.writeHead(500).end(), // as Flask does when a view raises
      );
    },
  );
  https.listen(0, '127.0.0.1');
  await once(https, 'listening');
  return {
    url: `https://localhost:${(https.address() as AddressInfo).port}`,
    calls,
    loseNext: (path) => lost.add(path),
    close: async () => {
      https.closeAllConnections();
      https.close();
      await once(https, 'close');
    },
  };
}

const UNKNOWN: Reply = [404, 'The specified device identity was not found'];
const LOST = '<lost>';

/** As `json.dumps` writes it. */
function json(value: Readonly<Record<string, string | boolean>>): string {
  const pairs = Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${JSON.stringify(one)}`);
  return `{${pairs.join(', ')}}`;
}

/** Lines of 64 letters, and no newline after the footer. */
function pemOf(body: string): string {
  return `-----BEGIN PUBLIC KEY-----\n${body.replace(/.{1,64}/g, '$&\n')}-----END PUBLIC KEY-----`;
}

async function readText(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
