import { once } from 'node:events';
import { request } from 'node:https';
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

async function ask(path: string): Promise<string> {
  const call = request({ host, port: listener.port, path, ca: authority.caPem, agent: false });
  call.end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  return text(response);
}

test('a request that comes before anything is served waits for its answer', async () => {
  let isAnswered = false;
  const answer = ask('/early').finally(() => (isAnswered = true));
  await sleep(200);
  expect(isAnswered).toBe(false);
  listener.serve(handler);
  expect(await answer).toBe('you asked for /early');
  expect(await ask('/later')).toBe('you asked for /later');
});

test('closing ends connections that wait for an answer, and those in the middle of a handshake', async () => {
  const waiting = expect(ask('/early')).rejects.toThrow(/hang up|ECONNRESET/);
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
