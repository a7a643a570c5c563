import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '@srup/node/testing';
import { configOf, goodProgram, stage } from '../../test/programs.ts';
import { recordingLog, surroundingsAt } from '../../test/surroundings.ts';
import { createPerformers } from '../performers/performers.ts';
import { openLineSocket, type LineSocket } from './socket.ts';

let folder: string;
let path: string;
let heard: string;
let sockets: { readonly close: () => unknown }[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-lines-'));
  path = join(folder, 'lines');
  heard = '';
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets) await socket.close();
  await rm(folder, { recursive: true });
});

async function open(): Promise<LineSocket> {
  const listen = () => (chunk: Uint8Array) => void (heard += Buffer.from(chunk).toString());
  const socket = await openLineSocket(path, listen, recordingLog().log);
  sockets.push(socket);
  return socket;
}

async function program(): Promise<{ socket: Socket; read: () => string }> {
  const socket = connect(path);
  sockets.unshift({ close: () => void socket.destroy() });
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await once(socket, 'connect');
  return { socket, read: () => text };
}

describe('the socket for programs', () => {
  test('takes what they write, and gives all of them what the server sends', async () => {
    const lines = await open();
    expect(lines.write('{}\n')).toBe(false);
    const one = await program();
    const other = await program();
    one.socket.write('a=1\n');
    await until('it is heard', () => heard === 'a=1\n');
    other.socket.write('b=2\n');
    await until('both are heard', () => heard === 'a=1\nb=2\n');
    expect(lines.write('{"id":"x"}\n')).toBe(true);
    await until('both have it', () => [one, other].every(({ read }) => read() === '{"id":"x"}\n'));
  });

  test('one that does not read is left out, and holds a bounded amount', async () => {
    const lines = await open();
    const { socket } = await program();
    socket.pause();
    socket.write('a=1\n');
    await until('it is there', () => heard !== '');
    const line = `${'x'.repeat(64 * 1024)}\n`;
    let written = 0;
    while (lines.write(line) && written < 1000) written += 1;
    expect(written).toBeGreaterThan(0);
    expect(written).toBeLessThan(1000);
  });

  test('is for its owner and group, and replaces the one of an agent that was killed', async () => {
    await open();
    expect((await stat(path)).mode & 0o777).toBe(0o660);
    await open();
    await program();
  });

  test('another file of that name stays, and the mistake is explained', async () => {
    await writeFile(path, 'mine');
    await expect(open()).rejects.toThrow('is not a socket');
    path = join(folder, 'none', 'lines');
    await expect(open()).rejects.toThrow(/can't be opened: .*lines/);
    path = join(folder, 'x'.repeat(120));
    await expect(open()).rejects.toThrow('too long');
  });
});

test('the supervised program learns of it, readings become reports, DATA reaches who is connected', async () => {
  const surroundings = surroundingsAt(folder, { ...configOf(folder), data: { socket: path } });
  const performers = createPerformers(surroundings);
  await performers.start();
  sockets.push({ close: () => performers.stop() });
  const data = Buffer.from('warm');
  const never = new AbortController().signal;
  const setpoint = { do: 'deliver', token: 't', dataId: 'setpoint', data } as const;
  expect(await performers.deliver(setpoint, never)).toBe('unknown');
  const { socket, read } = await program();
  socket.write('pressure=2.5\nhello\n');
  await until('the reading is reported', () => surroundings.reports.length === 1);
  expect(surroundings.reports[0]?.dataId).toBe('pressure');
  await until('other lines are in the log', () =>
    surroundings.lines.some(({ fields, text }) => fields['from'] === 'socket' && text === 'hello'),
  );
  expect(await performers.deliver(setpoint, never)).toBe('taken');
  await until('it has the line', () => read() === '{"id":"setpoint","text":"warm"}\n');

  // A program that is started with the device, and says what it was told.
  const script = goodProgram('told').replace('exec', 'echo "where=$SRUP_SOCKET"\nexec');
  const digest = await stage(folder, script);
  await performers.install({ do: 'install', token: 'u', digest }, never);
  await until('it says so', () => surroundings.reports.some(({ dataId }) => dataId === 'where'));
  const told = surroundings.reports.find(({ dataId }) => dataId === 'where');
  expect(Buffer.from(told?.data ?? []).toString()).toBe(path);
});
