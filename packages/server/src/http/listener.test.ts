import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeAuthority } from '../../test/authority.ts';
import type { Authority } from '../authority/authority.ts';
import { listenHttps, type HttpsListener, type RequestHandler } from './listener.ts';

const host = '127.0.0.1';
const handler: RequestHandler = {
  routing: ({ url }, response) => {
    response.end(`you asked for ${url}`);
  },
};

let authority: Authority;
let listener: HttpsListener;

beforeAll(async () => {
  authority = await makeAuthority();
});

beforeEach(async () => {
  listener = await listenHttps({ host, port: 0, credential: await authority.issueServer([host]) });
});

afterEach(() => listener.close());

async function call(path: string, agent: Agent | false = false): Promise<IncomingMessage> {
  const calling = request({ host, port: listener.port, path, ca: authority.caPem, agent });
  calling.end();
  const [response] = (await once(calling, 'response')) as [IncomingMessage];
  return response;
}

async function ask(path: string, agent?: Agent): Promise<string> {
  return text(await call(path, agent));
}

test('a request that comes before anything is served is refused, and told when to ask again', async () => {
  const refused = await call('/healthz');
  expect(refused.statusCode).toBe(503);
  expect(refused.headers).toMatchObject({
    'retry-after': '5',
    'content-type': 'application/json; charset=utf-8',
  });
  expect(JSON.parse(await text(refused))).toEqual({
    error: 'starting',
    message: expect.stringContaining('ask again') as string,
  });
});

test('a start that waits for the database says so', async () => {
  listener.tellDatabaseAway();
  const refused = await call('/readyz');
  expect(refused.statusCode).toBe(503);
  expect(JSON.parse(await text(refused))).toEqual({
    error: 'starting',
    message: expect.stringContaining('waits for its database') as string,
  });
});

test('a client that was refused is answered once there is something to serve', async () => {
  const agent = new Agent({ keepAlive: true });
  expect(await ask('/early', agent)).toContain('starting');
  listener.serve(handler);
  expect(await ask('/later', agent)).toBe('you asked for /later');
  agent.destroy();
});

test('a body that trickles before anything is served holds no connection', async () => {
  const calling = request({
    ...{ host, port: listener.port, path: '/', method: 'POST', agent: false },
    ca: authority.caPem,
    headers: { 'content-length': 1000 },
  });
  calling.on('error', () => undefined);
  calling.write('begun');
  const [response] = (await once(calling, 'response')) as [IncomingMessage];
  expect(response.statusCode).toBe(503);
  response.resume();
  if (!response.socket.closed) await once(response.socket, 'close');
});

test('closing ends connections that wait for an answer, and those in the middle of a handshake', async () => {
  listener.serve({ routing: () => undefined });
  const waiting = expect(ask('/slow')).rejects.toThrow(/hang up|ECONNRESET/);
  const socket = connectTcp(listener.port, host);
  await once(socket, 'connect');
  await sleep(200);
  await listener.close();
  await waiting;
  if (!socket.closed) await once(socket, 'close');
});

test('new connections get a renewed certificate', async () => {
  listener.serve(handler);
  await ask('/');
  const other = await makeAuthority('other');
  listener.setTls(await other.issueServer([host]));
  await expect(ask('/')).rejects.toThrow();
  authority = other;
  expect(await ask('/')).toBe('you asked for /');
});

test('a port that is in use is an error of the operating system', async () => {
  const { port } = listener;
  const second = listenHttps({ host, port, credential: await authority.issueServer([host]) });
  await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE', syscall: 'listen', port });
});
