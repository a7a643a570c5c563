import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeFolders, makePrivateFolder, sha256File, writeFileAtomic } from './files.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-files-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('a file is replaced as a whole, for its owner only, and nothing is left beside it', async () => {
  const path = join(folder, 'state');
  await writeFileAtomic(path, 'one');
  await writeFileAtomic(path, new Uint8Array([116, 119, 111]));
  expect(await readFile(path, 'utf8')).toBe('two');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(['state']);
});

test('the mode that is asked for is given', async () => {
  await writeFileAtomic(join(folder, 'program'), '#!/bin/sh', 0o700);
  expect((await stat(join(folder, 'program'))).mode & 0o777).toBe(0o700);
});

test('when the file can not be put in place, the old one and the folder stay as they were', async () => {
  const path = join(folder, 'taken');
  await mkdir(join(path, 'full'), { recursive: true });
  await expect(writeFileAtomic(path, 'x')).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
  expect(await readdir(folder)).toEqual(['taken']);
});

test('a link at the path is replaced, not followed', async () => {
  await writeFile(join(folder, 'victim'), 'safe');
  await symlink(join(folder, 'victim'), join(folder, 'link'));
  await writeFileAtomic(join(folder, 'link'), 'new');
  expect(await readFile(join(folder, 'victim'), 'utf8')).toBe('safe');
});

test('a private folder is closed to others, even when it was open before', async () => {
  const path = join(folder, 'a', 'b');
  await mkdir(path, { recursive: true, mode: 0o755 });
  await makePrivateFolder(path);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
});

test('folders are made to the depth that is wanted, by several at once, and not over a file', async () => {
  const deep = join(folder, 'a', 'b', 'c');
  await Promise.all([makeFolders(deep), makeFolders(deep), makeFolders(join(folder, 'a', 'b', 'd'))]);
  expect(await readdir(join(folder, 'a', 'b'))).toEqual(['c', 'd']);
  await writeFile(join(folder, 'file'), '');
  await expect(makeFolders(join(folder, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(makeFolders(join(folder, 'file', 'x'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

test.runIf(process.platform === 'linux')('where the system makes no folder, that is said', async () => {
  for (const path of ['/proc/srup', '/proc/srup/server'])
    await expect(makePrivateFolder(path)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('the digest of a file; an abort stops it', async () => {
  const path = join(folder, 'abc');
  await writeFile(path, 'abc');
  expect(await sha256File(path)).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  await expect(sha256File(path, AbortSignal.abort())).rejects.toThrow('abort');
});
