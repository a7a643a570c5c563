import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, get, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { makeCa, type TestCa } from '../test/certificates.ts';
import { fetchPinnedCa } from './https.ts';

let ca: TestCa;
let other: TestCa;
const servers: Server[] = [];

beforeAll(async () => {
  ca = await makeCa('Right CA');
  other = await makeCa('Other CA');
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(host: string, chain: string[] = []): Promise<string> {
  const { certPem, key } = await ca.issue({ commonName: 'test server', hosts: [host] });
  const server = createServer({ key: key.reveal(), cert: [certPem, ...chain].join('\n') }, (_, response) =>
    response.end('hello'),
  );
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `https://localhost:${(server.address() as AddressInfo).port}`;
}

test('the CA is found by its fingerprint, with or without colons, in the chain that the server sends', async () => {
  const url = await serve('localhost', [ca.pem]);
  const pem = await fetchPinnedCa(url, ca.fingerprint);
  const colons = ca.fingerprint.toUpperCase().match(/../g)!.join(':');
  expect(await fetchPinnedCa(url, colons)).toBe(pem);
  const [answer] = (await once(get(url, { ca: pem, agent: false }), 'response')) as [IncomingMessage];
  expect(await text(answer)).toBe('hello');
});

test('a wrong fingerprint is refused and what was seen is told', async () => {
  const url = await serve('localhost', [ca.pem]);
  await expect(fetchPinnedCa(url, other.fingerprint)).rejects.toMatchObject({
    name: 'PinError',
    wanted: other.fingerprint,
    seen: [{ subject: 'CN=test server' }, { subject: 'CN=Right CA', fingerprint: ca.fingerprint }],
  });
});

test('a server that does not send its CA is refused', async () => {
  await expect(fetchPinnedCa(await serve('localhost'), ca.fingerprint)).rejects.toMatchObject({
    seen: [{ subject: 'CN=test server' }],
  });
});

test('nobody there: the error of the socket; plain http: never', async () => {
  const url = await serve('localhost');
  await new Promise((resolve) => servers.pop()!.close(resolve));
  await expect(fetchPinnedCa(url, ca.fingerprint)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await expect(fetchPinnedCa('http://localhost:1', ca.fingerprint)).rejects.toThrow('not an https URL');
});
