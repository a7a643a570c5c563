import { chmod, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packTar } from 'modern-tar';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '@srup/node/testing';
import { stage } from '../../test/programs.ts';
import { newFolder, removeFolders, surroundingsAt } from '../../test/surroundings.ts';
import type { AgentConfigInput } from '../config/config.ts';
import type { Performers } from '../engine/performers.ts';
import { createPerformers } from '../performers/performers.ts';

const never = new AbortController().signal;
let folder: string;
let target: string;
let performers: Performers;

beforeEach(async () => {
  folder = await newFolder();
  target = join(folder, 'shared', 'rules.txt');
  await mkdir(join(folder, 'shared'));
});
afterEach(async () => {
  await performers.stop();
  await removeFolders();
});

/** A program that copies its data to `seen` at its start, and on SIGHUP; it refuses data that says "bad". */
const PROGRAM = `
load() { cat "$1" >> seen; echo " $2" >> seen; ! grep -q bad "$1" || exit 5; }
load "$1" start
trap 'load "$1" hangup' HUP
while :; do sleep 0.05; done
`;

async function start(software: AgentConfigInput['software']): Promise<void> {
  const config = {
    software: {
      installer: 'file',
      target,
      restart: { leastSeconds: 0.1 },
      stopSeconds: 2,
      ...software,
    } as const,
    health: { aliveSeconds: 1 },
  };
  performers = createPerformers(surroundingsAt(folder, config));
  await performers.start();
}

/** The program reads the slot, or the target, which stays where it is. */
const supervised = (reload: 'restart' | 'hangup', path = '{path}'): AgentConfigInput['software'] => ({
  command: ['/bin/sh', '-c', PROGRAM, 'program', path],
  reload,
});
const shared = (name: string) => join(folder, 'shared', name);

async function install(content: string | Uint8Array) {
  const digest = await stage(folder, content);
  return performers.install({ do: 'install', digest, token: `token ${digest}` }, never);
}

const seen = async () =>
  (await readFile(join(folder, 'software', 'work', 'seen'), 'utf8')).trim().split('\n');

describe('data for a program of others', () => {
  test('is put in place as a whole, readable by all, executable by none', async () => {
    await start({});
    expect(await install('one')).toEqual({ outcome: 'active' });
    expect(await readFile(target, 'utf8')).toBe('one');
    expect((await stat(target)).mode & 0o777).toBe(0o644);
    expect(await install('two')).toEqual({ outcome: 'active' });
    expect(await readFile(target, 'utf8')).toBe('two');
    expect(await readdir(shared('.'))).toEqual(['rules.txt']);
    expect(performers.running()).toMatchObject({ program: 'none', restarts: 0 });
  });

  test('an archive is data like any other: never unpacked', async () => {
    await start({});
    const tar = await packTar([{ header: { name: 'a', size: 0, type: 'file' } }]);
    expect(await install(tar)).toEqual({ outcome: 'active' });
    expect(new Uint8Array(await readFile(target))).toEqual(tar);
  });

  test('the command after the switch may refuse it: what was there before comes back', async () => {
    await start({ notify: ['/bin/sh', '-c', '! grep -q bad "$1"', 'sh', '{target}'] });
    await install('one');
    expect(await install('bad')).toEqual({
      outcome: 'reverted',
      reason: 'the command after the switch failed: exit code 1',
    });
    expect(await readFile(target, 'utf8')).toBe('one');
  });

  test('what was there before the agent came is the first way back', async () => {
    await writeFile(target, 'from the factory');
    await start({ notify: ['/bin/sh', '-c', '! grep -q bad "$1"', 'sh', '{target}'] });
    expect(await install('bad')).toMatchObject({ outcome: 'reverted' });
    expect(await readFile(target, 'utf8')).toBe('from the factory');
  });

  test('nothing was there before: nothing is there again', async () => {
    await start({ notify: ['/bin/false'] });
    expect(await install('bad')).toMatchObject({ outcome: 'reverted' });
    expect(await readdir(shared('.'))).toEqual([]);
  });

  test('a link in the place of the target is replaced, not followed', async () => {
    await writeFile(shared('victim'), 'precious');
    await symlink(shared('victim'), target);
    await start({});
    await install('new');
    expect((await lstat(target)).isFile()).toBe(true);
    expect(await readFile(shared('victim'), 'utf8')).toBe('precious');
  });

  test('a folder that is not there is a reason to revert', async () => {
    target = join(folder, 'nowhere', 'rules.txt');
    await start({});
    expect(await install('one')).toMatchObject({ outcome: 'reverted' });
    expect(performers.running().digest).toBeUndefined();
    await mkdir(join(folder, 'nowhere'));
    await chmod(join(folder, 'nowhere'), 0o755);
    expect(await install('two')).toEqual({ outcome: 'active' });
  });
});

describe('data for a program that the agent keeps alive', () => {
  test('the program is started again for it', async () => {
    await start(supervised('restart'));
    expect(performers.running().program).toBe('none');
    expect(await install('one')).toEqual({ outcome: 'active' });
    const { pid } = performers.running();
    expect(await install('two')).toEqual({ outcome: 'active' });
    expect(performers.running().pid).not.toBe(pid);
    expect(await seen()).toEqual(['one start', 'two start']);
  });

  test('or told by SIGHUP, and goes on', async () => {
    await start(supervised('hangup', '{target}'));
    expect(await install('one')).toEqual({ outcome: 'active' });
    const { pid } = performers.running();
    expect(await install('two')).toEqual({ outcome: 'active' });
    expect(performers.running().pid).toBe(pid);
    expect(await seen()).toEqual(['one start', 'two hangup']);
  });

  test('a program that dies of it gets back what it had', async () => {
    await start(supervised('hangup', '{target}'));
    await install('one');
    expect(await install('bad')).toEqual({ outcome: 'reverted', reason: 'the program ended: exit code 5' });
    expect(await readFile(target, 'utf8')).toBe('one');
    await until('the program is back', () => performers.running().program === 'running');
  });
});
