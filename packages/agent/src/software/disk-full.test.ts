// A disk of 8 MiB that is really full: a tmpfs, which takes root to mount.
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeCa } from '../../../node/test/certificates.ts';
import { serve } from '../../test/file-server.ts';
import { until } from '@srup/node/testing';
import { badProgram, configOf, goodProgram, stage, started } from '../../test/programs.ts';
import { newFolder, removeFolders, sha256, surroundingsAt } from '../../test/surroundings.ts';
import type { Performers } from '../engine/performers.ts';
import { createPerformers, type PerformerExtras } from '../performers/performers.ts';

const DISK = 'size=8m,mode=700';
const never = new AbortController().signal;
const canMount = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

let folder: string;
let performers: Performers;

beforeEach(async () => {
  folder = await newFolder();
  if (!canMount) return;
  execFileSync('mkdir', [join(folder, 'software')]);
  execFileSync('mount', ['-t', 'tmpfs', '-o', DISK, 'tmpfs', join(folder, 'software')]);
});
afterEach(async () => {
  if (canMount) {
    await performers.stop();
    execFileSync('umount', [join(folder, 'software')]);
  }
  await removeFolders();
});

function fillDisk(): void {
  const file = openSync(join(folder, 'software', 'filler'), 'w');
  const block = Buffer.alloc(4096);
  try {
    for (;;) writeSync(file, block);
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  } finally {
    closeSync(file);
  }
}

async function fetchFrom(
  content: Uint8Array,
  headers: Record<string, string>,
  extras: PerformerExtras = {},
): Promise<{ outcome: string; reason: unknown }> {
  const ca = await makeCa();
  const issued = await ca.issue({ commonName: 'files', hosts: ['localhost'] });
  const server = await serve((_, response) => void response.writeHead(200, headers).end(content), { issued });
  const surroundings = surroundingsAt(folder, {}, { ca: () => ca.pem });
  performers = createPerformers(surroundings, extras);
  await performers.start();
  const effect = { do: 'fetch', token: 't', url: `${server.url}/x`, digest: sha256(content) } as const;
  const outcome = await performers.fetch(effect, never);
  await server.close();
  return { outcome, reason: surroundings.lines.at(-1)?.fields['reason'] };
}

test.runIf(canMount)('a file that is said to be too large for the disk is not begun', async () => {
  const content = randomBytes(6 * 2 ** 20);
  expect(await fetchFrom(content, { 'content-length': String(content.length) })).toEqual({
    outcome: 'no-file',
    reason: `no room on the disk for ${content.length} bytes`,
  });
});

test.runIf(canMount)(
  'a file that does not say how large it is leaves room for the rest of the device',
  async () => {
    let most = 0;
    const onProgress = (_: string, bytes: number) => {
      most = Math.max(most, bytes);
    };
    const { outcome, reason } = await fetchFrom(randomBytes(10 * 2 ** 20), {}, { onProgress });
    expect({ outcome, reason }).toMatchObject({
      outcome: 'no-file',
      reason: expect.stringMatching(/^no room on the disk for more than \d+ bytes$/) as string,
    });
    // Of 8 MiB, 4 are left free, give or take the time between two looks.
    expect(most).toBeLessThan(5.2 * 2 ** 20);
    expect(await readdir(join(folder, 'software', 'downloads'))).toEqual([]);
  },
);

test.runIf(canMount)('others fill the disk during a download: the room is given back', async () => {
  let isFull = false;
  const onProgress = () => {
    if (!isFull) fillDisk();
    isFull = true;
  };
  const content = randomBytes(3 * 2 ** 20);
  const headers = { 'content-length': String(content.length) };
  expect(await fetchFrom(content, headers, { onProgress })).toEqual({
    outcome: 'no-file',
    reason: "the file can't be written (ENOSPC)",
  });
  expect(await readdir(join(folder, 'software', 'downloads'))).toEqual([]);
  expect(await readdir(join(folder, 'software', 'slots'))).toEqual([]);
});

test.runIf(canMount)(
  'a switch that can not be recorded is none: the old software runs, before and after a restart',
  async () => {
    const config = configOf(folder);
    performers = createPerformers(surroundingsAt(folder, config));
    await performers.start();
    const old = await stage(folder, goodProgram('old'));
    expect(await performers.install({ do: 'install', digest: old, token: 'old' }, never)).toEqual({
      outcome: 'active',
    });
    const next = await stage(folder, goodProgram('next'));
    fillDisk();
    const record = await readFile(join(folder, 'software', 'current.json'), 'utf8');
    expect(await performers.install({ do: 'install', digest: next, token: 'next' }, never)).toMatchObject({
      outcome: 'reverted',
      reason: expect.stringContaining('ENOSPC') as string,
    });
    expect(performers.running()).toMatchObject({ digest: old, program: 'running' });
    expect(await readFile(join(folder, 'software', 'current.json'), 'utf8')).toBe(record);
    await performers.stop();
    await rm(join(folder, 'software', 'filler'));
    performers = createPerformers(surroundingsAt(folder, config));
    await performers.start();
    expect(performers.running()).toMatchObject({ digest: old, program: 'running' });
    const names = (await started(folder)).map(({ name }) => name);
    expect(names).not.toContain('next');
  },
);

/** What `current.json` says of a switch under way. */
async function readTrial(): Promise<unknown> {
  const text = await readFile(join(folder, 'software', 'current.json'), 'utf8');
  return (JSON.parse(text) as { trial?: unknown }).trial;
}

test.runIf(canMount)(
  'software that fills the disk and fails: "reverted" is said when the record says so, not before',
  async () => {
    const old = await stage(folder, goodProgram('old'));
    const next = await stage(folder, badProgram('next'));
    const surroundings = surroundingsAt(folder, configOf(folder));
    const start = () => {
      performers = createPerformers(surroundings, {
        onStep: (step, digest) => {
          if (step === 'launched' && digest === next) fillDisk();
        },
      });
      return performers.start();
    };
    const unwritten = () => surroundings.lines.filter(({ text }) => text === 'disk failed').length;
    const giveRoom = () => rm(join(folder, 'software', 'filler'));
    const order = { do: 'install', digest: next, token: 'next' } as const;
    await start();
    await performers.install({ do: 'install', digest: old, token: 'old' }, never);

    const stopped = expect(performers.install(order, never)).rejects.toThrow('the agent stops');
    await until('the way back could not be written', () => unwritten() >= 2);
    expect(performers.running()).toMatchObject({ digest: old, program: 'running' });
    await performers.stop();
    await stopped;
    // The record still names it, so the next start tries it again.
    expect(await readTrial()).not.toHaveProperty('failure');
    await giveRoom();

    await start();
    const answered = performers
      .install(order, never)
      .then(async (answer) => ({ ...answer, trial: await readTrial() }));
    await until('the way back could not be written again', () => unwritten() >= 4);
    await giveRoom();
    expect(await answered).toMatchObject({ outcome: 'reverted', trial: undefined });
    expect(performers.running()).toMatchObject({ digest: old, program: 'running' });
  },
);
