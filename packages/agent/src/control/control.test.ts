import { once } from 'node:events';
import { stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect } from 'vitest';
import { test } from '../../test/fixtures.ts';
import { askAgent, serveControl } from './control.ts';

const socketIn = (folder: string): string => join(folder, 'agent.sock');

test('a question and its answer; only the owner may ask', async ({ folder, later }) => {
  const path = socketIn(folder);
  const control = await serveControl(path, (ask) => Promise.resolve({ asked: ask }));
  later(() => control.close());
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await askAgent(path, 'status')).toEqual({ value: { asked: 'status' } });
  expect(await askAgent(path, 'join')).toEqual({ value: { asked: 'join' } });
});

test('an agent that refuses', async ({ folder, later }) => {
  const path = socketIn(folder);
  const control = await serveControl(path, () => Promise.reject(new Error('this device is not registered')));
  later(() => control.close());
  await expect(askAgent(path, 'resign')).rejects.toMatchObject({
    name: 'AgentError',
    message: 'this device is not registered',
  });
});

test('no agent runs: there is no socket, or one of a killed agent, which the next start replaces', async ({
  folder,
  later,
}) => {
  const path = socketIn(folder);
  expect(await askAgent(path, 'status')).toBeUndefined();
  await writeFile(path, '');
  expect(await askAgent(path, 'status')).toBeUndefined();
  const control = await serveControl(path, () => Promise.resolve('new'));
  later(() => control.close());
  expect(await askAgent(path, 'status')).toEqual({ value: 'new' });
});

test.for(['reboot\n', 'x'.repeat(200)])(
  'anything but a known question (%j) gets no answer',
  async (text, { folder, later }) => {
    const path = socketIn(folder);
    let asked = 0;
    const control = await serveControl(path, () => Promise.resolve(++asked));
    later(() => control.close());
    const socket = connect(path).setEncoding('utf8');
    let heard = '';
    socket.on('data', (chunk: string) => (heard += chunk)).on('error', () => undefined);
    socket.write(text);
    await once(socket, 'close');
    expect(heard).not.toContain('"ok":true');
    expect(asked).toBe(0);
  },
);

test('an agent that stops does not wait for a silent connection', async ({ folder, later }) => {
  const path = socketIn(folder);
  const control = await serveControl(path, () => Promise.resolve(0));
  later(() => control.close());
  const silent = connect(path).on('error', () => undefined);
  await once(silent, 'connect');
  const closed = once(silent, 'close');
  await control.close();
  await closed;
});

test('a path that is too long for a socket is explained', async ({ folder }) => {
  const long = join(folder, 'x'.repeat(100), 'agent.sock');
  await expect(serveControl(long, () => Promise.resolve(0))).rejects.toMatchObject({
    hint: expect.stringContaining('shorter') as string,
  });
});
