import { execFileSync } from 'node:child_process';
import { lstat, mkdir, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { packTar, type TarEntry, type TarHeader } from 'modern-tar';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newFolder, removeFolders, sha256 } from '../../test/surroundings.ts';
import { prepareSoftware, type PrepareRules } from './prepare.ts';
import { openSlots, type Slot, type Slots } from './slots.ts';

const RULES: PrepareRules = {
  unpack: 'auto',
  executable: true,
  limits: { maxEntries: 100, maxBytes: 2 ** 20 },
};
const never = new AbortController().signal;

let folder: string;
let slots: Slots;

beforeEach(async () => {
  folder = await newFolder();
  slots = await openSlots(join(folder, 'slots'));
});
afterEach(removeFolders);

async function stage(bytes: Uint8Array): Promise<Slot> {
  const path = join(folder, 'staged');
  await writeFile(path, bytes, { mode: 0o600 });
  await slots.adopt(sha256(bytes), path);
  return slots.of(sha256(bytes));
}

const file = (name: string, body = name, more: Partial<TarHeader> = {}): TarEntry => ({
  header: { name, size: Buffer.byteLength(body), type: 'file', ...more },
  body,
});
const entry = (type: NonNullable<TarHeader['type']>, name: string, linkname = ''): TarEntry => ({
  header: { name, size: 0, type, linkname },
});

const prepare = async (bytes: Uint8Array, rules: Partial<PrepareRules> = {}) =>
  prepareSoftware(await stage(bytes), { ...RULES, ...rules }, never);

async function unpack(entries: TarEntry[], rules: Partial<PrepareRules> = {}) {
  return prepare(await packTar(entries), rules);
}

/** Nothing outside the slot, and nothing half done inside. */
async function expectNothingLeft(): Promise<void> {
  expect(await readdir(folder)).toEqual(['slots']);
  for (const digest of await readdir(join(folder, 'slots'))) {
    expect(await readdir(join(folder, 'slots', digest))).toEqual(['artifact']);
  }
}

describe('good archives', () => {
  test.each([
    ['tar', (tar: Uint8Array) => tar],
    ['tar.gz', gzipSync],
    ['tar.zst', zstdCompressSync],
  ] as const)('%s', async (_, compress) => {
    const tar = await packTar([
      file('bin/app', 'program', { mode: 0o755 }),
      file('data.txt'),
      entry('directory', 'empty/'),
    ]);
    const { path } = await prepare(compress(tar));
    expect(await readFile(join(path, 'bin/app'), 'utf8')).toBe('program');
    expect((await stat(join(path, 'bin/app'))).mode & 0o7777).toBe(0o755);
    expect((await stat(join(path, 'data.txt'))).mode & 0o7777).toBe(0o644);
    expect((await stat(join(path, 'empty'))).isDirectory()).toBe(true);
  });

  test('what the tar of the system makes', async () => {
    const source = join(await newFolder(), 'source');
    const deep = join(source, 'a'.repeat(120), 'b'.repeat(120));
    await mkdir(deep, { recursive: true });
    await writeFile(join(deep, 'file'), 'deep');
    execFileSync('ln', ['-s', 'a', join(source, 'link')]);
    const tar = execFileSync('tar', ['-C', source, '-cz', '.']);
    const { path } = await prepare(tar);
    expect(await readFile(join(path, 'a'.repeat(120), 'b'.repeat(120), 'file'), 'utf8')).toBe('deep');
    expect(await readlink(join(path, 'link'))).toBe('a');
  });

  test('links that stay inside', async () => {
    const { path } = await unpack([
      entry('symlink', 'current', 'v2/app'),
      entry('symlink', 'v2/up', '../data'),
      file('v2/app'),
      file('data'),
      entry('link', 'hard', 'v2/app'),
    ]);
    expect(await readFile(join(path, 'current'), 'utf8')).toBe('v2/app');
    expect(await readFile(join(path, 'v2/up'), 'utf8')).toBe('data');
    expect(await readFile(join(path, 'hard'), 'utf8')).toBe('v2/app');
  });

  test('an archive is unpacked anew each time: what was changed since is gone', async () => {
    const { path, slot } = await unpack([file('app')]);
    await writeFile(join(path, 'app'), 'changed');
    await writeFile(join(path, 'more'), 'added');
    await prepareSoftware(slot, RULES, never);
    expect(await readFile(join(path, 'app'), 'utf8')).toBe('app');
    expect(await readdir(path)).toEqual(['app']);
  });

  test('"never" takes an archive as it is, "always" takes nothing else', async () => {
    const tar = await packTar([file('app')]);
    const { path, slot } = await prepare(tar, { unpack: 'never' });
    expect(path).toBe(slot.artifact);
    await expect(prepare(Buffer.from('no tar'), { unpack: 'always' })).rejects.toThrow(
      'its file is not an archive',
    );
  });
});

describe('plain files', () => {
  test('may be executed by their owner once they were verified, and not before', async () => {
    const slot = await stage(Buffer.from('#!/bin/sh\n'));
    expect((await stat(slot.artifact)).mode & 0o777).toBe(0o600);
    await prepareSoftware(slot, RULES, never);
    expect((await stat(slot.artifact)).mode & 0o777).toBe(0o700);
  });

  test('data is never executable', async () => {
    const slot = await stage(Buffer.from('#!/bin/sh\n'));
    await prepareSoftware(slot, { ...RULES, executable: false }, never);
    expect((await stat(slot.artifact)).mode & 0o111).toBe(0);
  });

  test('swapped after the check: found out, and never made executable (threat 14)', async () => {
    const slot = await stage(Buffer.from('good'));
    await writeFile(slot.artifact, 'evil');
    await expect(prepareSoftware(slot, RULES, never)).rejects.toMatchObject({
      message: 'its file was changed after it was verified',
      isLost: true,
    });
    expect((await stat(slot.artifact)).mode & 0o111).toBe(0);
  });

  test('replaced by a link, a pipe, a folder, or gone: found out (threat 14)', async () => {
    for (const [command, ...args] of [
      ['ln', '-s', '/bin/sh'],
      ['mkfifo', '-m', '600'],
      ['mkdir'],
      ['true'],
    ] as const) {
      const slot = await stage(Buffer.from('good'));
      execFileSync('rm', ['-r', slot.artifact]);
      execFileSync(command, [...args, slot.artifact]);
      await expect(prepareSoftware(slot, RULES, never)).rejects.toMatchObject({ isLost: true });
      await slots.remove(slot.digest);
    }
  });
});

describe('hostile archives', () => {
  const attacks: [string, TarEntry[]][] = [
    ['an absolute name', [file('/tmp/srup-evil')]],
    ['a name that climbs', [file('../evil')]],
    ['a name that climbs in its middle', [file('a/../../evil')]],
    ['a folder that climbs', [entry('directory', '../evil/')]],
    ['a long name', [file(`${'a/'.repeat(600)}evil`)]],
    ['a long part of a name', [file('a'.repeat(256))]],
    ['a deep name', [file(`${'a/'.repeat(70)}evil`)]],
    ['a file without a name', [file('.')]],
    ['a link to an absolute path', [entry('symlink', 'evil', '/etc/passwd')]],
    ['a link that climbs', [entry('symlink', 'evil', '../evil')]],
    ['a link that climbs from below', [entry('symlink', 'a/b/evil', '../../../evil')]],
    ['a link that climbs after going down', [file('a/b'), entry('symlink', 'evil', 'a/../../evil')]],
    ['a link to nothing', [entry('symlink', 'evil', '')]],
    ['a link through another link', [entry('symlink', 'here', '.'), entry('symlink', 'here/evil', '..')]],
    [
      'a chain of links',
      [file('a/b/c'), entry('symlink', 'a/b/top', '../..'), entry('symlink', 'evil', 'a/b/top/../..')],
    ],
    ['a file through a link', [entry('symlink', 'here', '/tmp'), file('here/evil')]],
    ['a file over a link', [entry('symlink', 'evil', 'other'), file('evil')]],
    ['a link over a file', [file('evil'), entry('symlink', 'evil', 'other')]],
    ['a hard link that climbs', [entry('link', 'evil', '../staged')]],
    ['a hard link to an absolute path', [entry('link', 'evil', '/etc/passwd')]],
    [
      'a hard link through a link',
      [entry('symlink', 'here', '.'), file('x'), entry('link', 'evil', 'here/x')],
    ],
    ['a hard link to a link', [entry('symlink', 'soft', 'x'), file('x'), entry('link', 'evil', 'soft')]],
    ['a hard link to nothing', [entry('link', 'evil', 'nothing')]],
    ['a device', [entry('character-device', 'evil')]],
    ['a block device', [entry('block-device', 'evil')]],
    ['a pipe', [entry('fifo', 'evil')]],
    ['a file twice', [file('a', 'one'), file('a', 'two')]],
    ['a file as a folder', [file('a'), file('a/b')]],
    ['a sparse file', [file('a', 'x', { pax: { 'GNU.sparse.major': '1' } })]],
    ['too many entries', Array.from({ length: 101 }, (_, at) => file(`f${at}`))],
    ['too many bytes', [file('big', 'x'.repeat(2 ** 20))]],
  ];

  test.each(attacks)('%s', async (_, entries) => {
    await expect(unpack(entries)).rejects.toMatchObject({ name: 'SoftwareFault', isLost: false });
    await expectNothingLeft();
  });

  test.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ] as const)('a %s bomb stops at the limit', async (_, compress) => {
    const bomb = compress(await packTar([file('bomb', '\0'.repeat(64 * 2 ** 20))]));
    expect(bomb.length).toBeLessThan(100_000);
    await expect(prepare(bomb)).rejects.toThrow(`the archive unpacks to more than ${2 ** 20} bytes`);
    await expectNothingLeft();
  });

  test('a zstd archive that asks for much memory is refused', async () => {
    const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x90]);
    await expect(prepare(Buffer.concat([head, Buffer.alloc(100)]))).rejects.toThrow('memory');
    await expectNothingLeft();
  });

  test('one that ends too soon, at any point', async () => {
    const tar = gzipSync(await packTar([file('a', 'x'.repeat(5000)), file('b')]));
    for (const length of [2, 20, tar.length >> 1, tar.length - 1]) {
      await expect(prepare(tar.subarray(0, length))).rejects.toThrow('unpacked');
    }
    const plain = await packTar([file('a', 'x'.repeat(5000))]);
    for (const length of [600, 1000, 5700])
      await expect(prepare(plain.subarray(0, length))).rejects.toThrow('unpacked');
    await expectNothingLeft();
  });

  test('a wrong checksum', async () => {
    const tar = await packTar([file('a')]);
    tar[0] = 0x62;
    await expect(prepare(tar)).rejects.toThrow('checksum');
  });

  test('set-user-id, set-group-id, sticky and everyone’s write bits are dropped', async () => {
    const { path } = await unpack([
      file('a', 'a', { mode: 0o7777 }),
      { header: { name: 'd/', size: 0, type: 'directory', mode: 0o7777 } },
    ]);
    expect((await stat(join(path, 'a'))).mode & 0o7777).toBe(0o755);
    expect((await lstat(join(path, 'd'))).mode & 0o7777).toBe(0o700);
  });

  test('bytes that are something else do nothing but fail', async () => {
    for (const magic of [
      [0x1f, 0x8b],
      [0x28, 0xb5, 0x2f, 0xfd],
    ]) {
      const bytes = Buffer.concat([Buffer.from(magic), Buffer.alloc(1000, 0xa5)]);
      await expect(prepare(bytes)).rejects.toMatchObject({ name: 'SoftwareFault' });
    }
    await expectNothingLeft();
  });
});

describe('slots', () => {
  test('what a power cut left half done is removed at the start', async () => {
    const { digest } = await stage(Buffer.from('kept'));
    await mkdir(join(folder, 'slots', `.${sha256('x')}`));
    const again = await openSlots(join(folder, 'slots'));
    expect(await readdir(join(folder, 'slots'))).toEqual([digest]);
    expect(await again.holds(digest)).toBe(true);
  });

  test('a digest that is none never becomes a path', () => {
    for (const name of ['..', '../x', '', 'A'.repeat(64), `${'a'.repeat(64)}/..`]) {
      expect(() => slots.of(name)).toThrow(RangeError);
    }
  });

  test('only what is needed and the newest others stay', async () => {
    const digests: string[] = [];
    for (const name of ['one', 'two', 'three', 'four']) {
      const { digest, folder: slot } = await stage(Buffer.from(name));
      digests.push(digest);
      execFileSync('touch', ['-d', `2024-01-0${digests.length}`, slot]);
    }
    await slots.collect(new Set([digests[0]!]), 1);
    expect(new Set(await readdir(join(folder, 'slots')))).toEqual(new Set([digests[0], digests[3]]));
  });
});
