import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { systemClock } from '@srup/node';
import type { Clock } from '@srup/protocol';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { makeCa, type IssueOptions, type TestCa } from '../../../node/test/certificates.ts';
import { keyServiceAt } from '../identity/service.ts';
import { createTransport } from '../software/fetch/transport.ts';

const never = new AbortController().signal;
const unset: Clock = { ...systemClock, now: () => 60_000, isTrusted: () => false };
/** The certificate of the server ended a minute ago. */
const ENDED = { notAfter: -60_000 };

let ca: TestCa;
let namesake: TestCa;
let requests = 0;
const servers: Server[] = [];

beforeAll(async () => {
  ca = await makeCa('Right CA');
  namesake = await makeCa('Right CA');
});
afterEach(() => {
  requests = 0;
  for (const server of servers.splice(0)) server.close();
});

async function serve(by: TestCa, options: Partial<IssueOptions> = {}): Promise<string> {
  const { certPem, key } = await by.issue({ commonName: 'server', hosts: ['localhost'], ...options });
  const server = createServer({ key: key.reveal(), cert: certPem }, (_, response) => {
    requests++;
    response.end('{}');
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `https://localhost:${(server.address() as AddressInfo).port}`;
}

async function download(url: string, clock: Clock, mode: 'pinned' | 'system' = 'pinned'): Promise<number> {
  const transport = createTransport({ ca: ca.pem, pinnedHost: 'localhost', mode }, clock);
  const answer = await transport.get(new URL(url), {}, never);
  answer.discard();
  return answer.status;
}
const register = async (url: string, clock: Clock): Promise<number> =>
  (await keyServiceAt(url, ca.pem, clock, never).call('POST', '/register/register', {})).status;

test.each([
  ['a download', download],
  ['the key service', register],
])('%s: an unset clock judges no dates, and everything else', async (_, ask) => {
  expect(await ask(await serve(ca), unset)).toBe(200);
  expect(await ask(await serve(ca, ENDED), unset)).toBe(200);
  expect(requests).toBe(2);
  await expect(ask(await serve(ca, ENDED), systemClock)).rejects.toThrow();
  for (const dates of [{}, ENDED]) {
    await expect(ask(await serve(namesake, dates), unset)).rejects.toThrow(/signed by/);
    await expect(ask(await serve(ca, { ...dates, hosts: ['elsewhere'] }), unset)).rejects.toThrow(/names/);
    await expect(ask(await serve(ca, { ...dates, isClient: true }), unset)).rejects.toThrow();
  }
  expect(requests).toBe(2);
});

test('where the CAs of the system decide, nothing changes', async () => {
  await expect(download(await serve(ca), unset, 'system')).rejects.toThrow();
  expect(requests).toBe(0);
});
