/**
 * An agent in a process of its own, which dies as by kill -9 at the n-th write after "arm <n> <before|after>" on its
 * stdin. What its performers do is one line each in the file `performed`.
 */
import { silentLog } from '@srup/node';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startAgent } from '../src/agent.ts';
import { parseConfig, type AgentConfigInput } from '../src/config/config.ts';
import type { Performers } from '../src/engine/performers.ts';
import { realDisk, type Disk } from '../src/vault/disk.ts';

const [home = '', config = ''] = process.argv.slice(2);
let left = Infinity;
let when = '';

function die(moment: string): void {
  if (left === 0 && when === moment) process.kill(process.pid, 'SIGKILL');
}

async function write(work: () => Promise<void>): Promise<void> {
  left--;
  die('before');
  await work();
  die('after');
}

const disk: Disk = {
  read: realDisk.read,
  replace: (path, data) => write(() => realDisk.replace(path, data)),
  extend: async (path) => {
    const { append, close } = await realDisk.extend(path);
    return { append: (data) => write(() => append(data)), close };
  },
};

async function perform<T>(effect: { do: string; token: string }, outcome: T): Promise<T> {
  await appendFile(join(home, 'performed'), `${effect.do} ${effect.token}\n`);
  return outcome;
}

const performers: Performers = {
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
  erase: () => Promise.resolve(),
  fetch: (effect) => perform(effect, 'ok'),
  install: (effect) => perform(effect, { outcome: 'active' }),
  act: (effect) => perform(effect, { outcome: 'done' }),
  deliver: (effect) => perform(effect, 'taken'),
  running: () => ({ program: 'none', restarts: 0 }),
};

const agent = await startAgent({
  config: parseConfig(JSON.parse(config) as AgentConfigInput, 'test'),
  home,
  log: silentLog,
  openPerformers: () => performers,
  disk,
  mqtt: { backoff: { leastMs: 10, mostMs: 50 } },
});
await agent.joined;
console.log('joined');
createInterface({ input: process.stdin }).on('line', (line) => {
  const [, n, moment = ''] = line.split(' ');
  left = Number(n);
  when = moment;
  console.log('armed');
});
