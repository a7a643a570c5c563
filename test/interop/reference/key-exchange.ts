/** The calls with which pySRUP's devices and servers make themselves known to a key service. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { makeRequest } from './csr.ts';
import type { PemPair } from './party.ts';
import { base64Lines, prove } from './wire.ts';
import type { Registered } from './device.ts';

export interface HttpReply {
  readonly status: number;
  readonly text: string;
}

export type Http = (method: 'GET' | 'POST', url: string, body?: object) => Promise<HttpReply>;

/** HTTPS as Python's requests does it: `ca` is the chain that it is told, connection and all errors reject. */
export function httpTrusting(ca: string, always: OutgoingHttpHeaders = {}): Http {
  return (method, url, body) =>
    new Promise((resolve, reject) => {
      const headers = { ...always, ...(body && { 'content-type': 'application/json' }) };
      const outgoing = request(url, { method, ca, agent: false, headers }, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.once('error', reject);
        incoming.once('end', () => {
          resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
        });
      });
      outgoing.once('error', reject);
      outgoing.end(body && JSON.stringify(body));
    });
}

/** What pySRUP writes into its configuration. */
export interface Enrolled extends Registered {
  readonly broker: string;
  readonly tls: { readonly key: string; readonly certificate: string; readonly ca: string };
}

export function makeKeys(): PemPair {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    privateKeyPem: privateKey.export({ format: 'pem', type: 'pkcs1' }).toString(),
    publicKeyPem: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
  };
}

/** The upper half of a UUID, as hex. */
function newId(): string {
  return BigInt(`0x${randomUUID().replaceAll('-', '').slice(0, 16)}`).toString(16);
}

/** Status, registration, mutual proof, certificate. Rejects with what the service said instead. */
export async function enrolDevice(
  http: Http,
  baseUrl: string,
  type: string,
  { id, keys, tlsKeys }: { id: string; keys: PemPair; tlsKeys: PemPair } = {
    id: newId(),
    keys: makeKeys(),
    tlsKeys: makeKeys(),
  },
): Promise<Enrolled> {
  const call = async (method: 'GET' | 'POST', path: string, wanted: number, body?: object) => {
    const { status, text } = await http(method, `${baseUrl}/KeyEx/register/${path}`, body);
    if (status !== wanted) throw new Error(`${path}: ${status} ${text}`);
    return JSON.parse(text) as Record<string, string>;
  };
  await call('GET', 'status', 200);
  const registration = { identity: id, key: bodyOf(keys.publicKeyPem), type };
  const {
    broker = '',
    key = '',
    default_c2: server = '',
  } = await call('POST', 'register', 201, registration);
  // The published client does not look at the signature of the answer.
  await call('POST', 'validate', 200, { identity: id, signature: prove(id, keys.privateKeyPem) });
  const csr = makeRequest(id, tlsKeys.privateKeyPem);
  const access = { csr: base64Lines(csr), identity: id, signature: prove(csr, keys.privateKeyPem) };
  const { certificate = '', CA_certificate: ca = '' } = await call('POST', 'access', 200, access);
  return {
    ...{ id, keys, server, broker, serverPem: fromBase64(key) },
    tls: { key: tlsKeys.privateKeyPem, certificate: fromBase64(certificate), ca: fromBase64(ca) },
  };
}

/** A server's own key is registered with the token that the operator gave it, unless the service has it. */
export async function enrolServer(
  http: Http,
  baseUrl: string,
  { id, keys, token }: { id: string; keys: PemPair; token: string },
): Promise<void> {
  const route = `${baseUrl}/KeyEx/register`;
  if ((await http('GET', `${route}/c2_check/${id}`)).status === 200) return;
  const signature = Buffer.from(token).toString('base64');
  const body = { identity: id, key: bodyOf(keys.publicKeyPem), signature };
  const { status, text } = await http('POST', `${route}/c2/`, body);
  if (status !== 201) throw new Error(`c2: ${status} ${text}`);
}

export async function getKey(http: Http, baseUrl: string, id: string): Promise<string | undefined> {
  const { status, text } = await http('GET', `${baseUrl}/KeyEx/register/get_key/${id}`);
  return status === 200 ? fromBase64(text) : undefined;
}

export async function getType(http: Http, baseUrl: string, id: string): Promise<string | undefined> {
  const { status, text } = await http('GET', `${baseUrl}/KeyEx/register/get_type/${id}`);
  return status === 200 ? text : undefined;
}

/** PEM without header, footer and newlines. */
export function bodyOf(publicPem: string): string {
  return publicPem.replace(/-----[^-]+-----|\s/g, '');
}

function fromBase64(text: string): string {
  return Buffer.from(text, 'base64').toString();
}
