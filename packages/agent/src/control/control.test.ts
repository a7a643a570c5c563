import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { askAgent, serveControl, type Control } from './control.ts';

let folder: string;
let path: string;
let control: Control | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-control-'));
  path = join(folder, 'agent.sock');
});
afterEach(async () => {
  await control?.close();
  control = undefined;
  await rm(folder, { recursive: true, force: true });
});

test('a question and its answer; only the owner may ask', async () => {
  control = await serveControl(path, (ask) => Promise.resolve({ asked: ask }));
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await askAgent(path, 'status')).toEqual({ value: { asked: 'status' } });
  expect(await askAgent(path, 'join')).toEqual({ value: { asked: 'join' } });
});

test('an agent that says no', async () => {
  control = await serveControl(path, () => Promise.reject(new Error('this device is not registered')));
  await expect(askAgent(path, 'resign')).rejects.toMatchObject({
    name: 'AgentError',
    message: 'this device is not registered',
  });
});

test('nobody there: no socket, or the one of an agent that was killed, which the next start replaces', async () => {
  expect(await askAgent(path, 'status')).toBeUndefined();
  await writeFile(path, '');
  expect(await askAgent(path, 'status')).toBeUndefined();
  control = await serveControl(path, () => Promise.resolve('new'));
  expect(await askAgent(path, 'status')).toEqual({ value: 'new' });
});

test.each(['reboot\n', 'x'.repeat(200)])('what is no question (%j) is not answered as one', async (text) => {
  let asked = 0;
  control = await serveControl(path, () => Promise.resolve(++asked));
  const socket = connect(path).setEncoding('utf8');
  let heard = '';
  socket.on('data', (chunk: string) => (heard += chunk)).on('error', () => undefined);
  socket.write(text);
  await once(socket, 'close');
  expect(heard).not.toContain('"ok":true');
  expect(asked).toBe(0);
});

test('an agent that stops does not wait for who is silent', async () => {
  control = await serveControl(path, () => Promise.resolve(0));
  const silent = connect(path).on('error', () => undefined);
  await once(silent, 'connect');
  const closed = once(silent, 'close');
  await control.close();
  await closed;
});

test('a path that is too long for a socket is explained', async () => {
  const long = join(folder, 'x'.repeat(100), 'agent.sock');
  await expect(serveControl(long, () => Promise.resolve(0))).rejects.toMatchObject({
    hint: expect.stringContaining('shorter') as string,
  });
});
