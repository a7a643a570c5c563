import { once } from 'node:events';
import { mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { keepShort, rotatingFile } from './rotating.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-log-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function write(file: string, lines: readonly string[], limit: number): Promise<void> {
  const log = rotatingFile(file, limit);
  for (const line of lines) log.write(`${line}\n`);
  log.end();
  await once(log, 'finish');
}

test('a log keeps its newest lines and never takes more than twice its limit', async () => {
  const file = join(folder, 'server.log');
  const lines = Array.from({ length: 1000 }, (_, n) => `line ${n}`);
  await write(file, lines.slice(0, 500), 1000);
  await write(file, lines.slice(500), 1000); // after a restart it goes on
  expect((await readdir(folder)).sort()).toEqual(['server.log', 'server.log.1']);
  const [old, current] = await Promise.all([readFile(`${file}.1`, 'utf8'), readFile(file, 'utf8')]);
  expect(old.length).toBeLessThanOrEqual(1000);
  expect(current.length).toBeLessThanOrEqual(1000);
  const kept = (old + current).trim().split('\n');
  expect(kept).toEqual(lines.slice(-kept.length));
  expect(kept.length).toBeGreaterThan(80);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('a log that can not be written stops nobody', async () => {
  await write(join(folder, 'missing', 'server.log'), ['one', 'two'], 1000);
  expect(await readdir(folder)).toEqual([]);
});

test('a log of another process is emptied when it is too long, and goes on', async () => {
  const file = join(folder, 'device.log');
  const writer = await open(file, 'a');
  await writer.write('x'.repeat(2000));
  const stop = keepShort(file, 1000, 5);
  await vi.waitFor(async () => {
    expect((await stat(file)).size).toBe(0);
  });
  stop();
  await writer.write('next');
  await writer.close();
  expect(await readFile(file, 'utf8')).toBe('next');
  expect((await readFile(`${file}.1`, 'utf8')).length).toBe(2000);
});
