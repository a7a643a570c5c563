import { constants } from 'node:fs';
import { type FileHandle, link, lstat, mkdir, open, readdir, realpath, rm, symlink } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import type { ParsedTarEntry } from 'modern-tar';
import { syncFolder } from '@srup/node';

export interface UnpackLimits {
  readonly maxEntries: number;
  /** Most bytes of the tar after decompression, headers included. */
  readonly maxBytes: number;
}

/** An archive that is refused. The message is for people: part of a sentence. */
export class ArchiveFault extends Error {
  override readonly name = 'ArchiveFault';
}

const MAX_NAME_BYTES = 1024;
const MAX_PART_BYTES = 255;
const MAX_DEPTH = 64;
/** Drops set-uid, set-gid, sticky, and everyone's right to write but the owner's. */
const MODE_MASK = 0o755;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Unpacks a tar into `folder`, which must not exist. Rejects with ArchiveFault, and leaves nothing behind, when the archive
 * is damaged, breaks a limit, or would write or point outside the folder; or with the signal's reason. Links are made
 * last, so no file is ever written through one.
 */
export async function unpackTar(
  tar: AsyncIterable<Uint8Array>,
  folder: string,
  limits: UnpackLimits,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(folder, { mode: 0o700 });
  const root = await realpath(folder);
  try {
    const links: ParsedTarEntry['header'][] = [];
    for await (const entry of readEntries(tar, limits)) {
      const { type } = entry.header;
      if (type === 'link' || type === 'symlink') links.push(entry.header);
      else await place(entry, root);
    }
    for (const header of links) await placeLink(header, root);
    await syncFolders(root);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    signal.throwIfAborted();
    if (error instanceof ArchiveFault) throw error;
    throw new ArchiveFault(`the archive can't be unpacked (${(error as Error).message})`);
  }
}

async function* readEntries(
  tar: AsyncIterable<Uint8Array>,
  limits: UnpackLimits,
): AsyncGenerator<ParsedTarEntry, void> {
  const { createTarDecoder } = await import('modern-tar');
  const { readable, writable } = createTarDecoder({ strict: true });
  const feeding = feed(tar, writable.getWriter(), limits.maxBytes);
  let count = 0;
  for await (const entry of readable) {
    if (++count > limits.maxEntries)
      throw new ArchiveFault(`the archive has more than ${limits.maxEntries} entries`);
    yield entry;
    await entry.body.cancel().catch(() => undefined);
  }
  await feeding;
}

/** Passes the tar to its decoder, and every error of the source too. Never rejects: whoever reads the decoder does. */
async function feed(
  tar: AsyncIterable<Uint8Array>,
  decoder: WritableStreamDefaultWriter<Uint8Array>,
  maxBytes: number,
): Promise<void> {
  let total = 0;
  try {
    for await (const chunk of tar) {
      total += chunk.length;
      // A small archive can hold endless zeros (threat 7).
      if (total > maxBytes) throw new ArchiveFault(`the archive unpacks to more than ${maxBytes} bytes`);
      await decoder.write(chunk);
    }
    await decoder.close();
  } catch (error) {
    await decoder.abort(error).catch(() => undefined);
  }
}

async function place({ header, body }: ParsedTarEntry, root: string): Promise<void> {
  const name = judgeName(header.name);
  if (header.pax !== undefined && Object.keys(header.pax).some((key) => key.startsWith('GNU.sparse.'))) {
    throw new ArchiveFault(`${name} is a sparse file`);
  }
  const path = join(root, name);
  if (header.type === 'directory') {
    await mkdir(path, { recursive: true, mode: 0o700 });
    return;
  }
  // To open a device or a pipe has effects.
  if (header.type !== 'file') throw new ArchiveFault(`${name} is a ${String(header.type)}`);
  if (name === '.') throw new ArchiveFault('a file has no name');
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, CREATE, 0o600);
  try {
    for await (const chunk of body) await writeAll(file, chunk);
    await file.chmod(((header.mode ?? 0) & MODE_MASK) | 0o600);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Syncs everything to disk: after a power cut it is started as it is, so nothing may be missing. */
async function syncFolders(root: string): Promise<void> {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) await syncFolder(join(entry.parentPath, entry.name));
  }
  await syncFolder(root);
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at)).bytesWritten;
}

async function placeLink(header: ParsedTarEntry['header'], root: string): Promise<void> {
  const name = judgeName(header.name);
  const path = join(root, name);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await judgeParent(path);
  const target = header.linkname ?? '';
  if (header.type === 'symlink') {
    judgeTarget(name, target);
    await symlink(target, path);
    return;
  }
  const original = join(root, judgeName(target));
  await judgeParent(original);
  if (!(await lstat(original)).isFile())
    throw new ArchiveFault(`${name} is a link to something that is not a file`);
  await link(original, path);
}

/** The name as a relative path within the slot. */
function judgeName(name: string): string {
  const refuse = (why: string): never => {
    throw new ArchiveFault(`an entry's name ${why}: ${JSON.stringify(name.slice(0, 100))}`);
  };
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) refuse('is too long');
  if (name === '' || name.includes('\0')) refuse('is no name');
  if (posix.isAbsolute(name)) refuse('is absolute');
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) refuse('leads out of the slot');
  if (parts.length > MAX_DEPTH) refuse('is too deep');
  if (parts.some((part) => Buffer.byteLength(part) > MAX_PART_BYTES)) refuse('is too long');
  return parts.length === 0 ? '.' : parts.join('/');
}

/**
 * A symbolic link may climb only at its beginning, and not above the slot. "down/../.." could pass through another
 * link and climb from where that one leads.
 */
function judgeTarget(name: string, target: string): void {
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  const climbs = parts.findIndex((part) => part !== '..');
  const height = climbs === -1 ? parts.length : climbs;
  const depth = name.split('/').length - 1;
  const isInside =
    target !== '' && !posix.isAbsolute(target) && height <= depth && !parts.slice(height).includes('..');
  if (!isInside) throw new ArchiveFault(`the link ${name} leads out of the slot`);
}

/** Checks that the folder of `path` is where its name says: no earlier link replaces a part of it. */
async function judgeParent(path: string): Promise<void> {
  const parent = dirname(path);
  if ((await realpath(parent)) !== parent) throw new ArchiveFault('an entry lies behind a link');
}
