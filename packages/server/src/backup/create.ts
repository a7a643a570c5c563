/** Makes a backup of a server's folder, whether the server runs or not. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  FolderLockedError,
  lockFolder,
  makePrivateFolder,
  syncFile,
  syncFolder,
  type FolderLock,
  type Secret,
} from '@srup/node';
import type { CopyPhase } from '../copy/copy.ts';
import { collect, type Collected, type Wish } from './collect.ts';
import { BackupError } from './archive/fault.ts';
import { bytesOf, type FileEntry, type Manifest } from './archive/manifest.ts';
import { packBackup } from './archive/pack.ts';
import { isDatabase, MARKER } from './places.ts';

export interface BackupOptions extends Omit<Wish, 'onRows'> {
  /** The backup. It must not exist yet. */
  readonly file: string;
  /** Encrypts the backup; see `LEAST_PASSPHRASE`. By default it is in clear. */
  readonly passphrase?: Secret | undefined;
  /** What is being done, and how much of it: rows of a database elsewhere, or bytes of the content that are packed. */
  readonly onProgress?: (doing: CopyPhase | 'pack', done: number, total: number) => void;
}

export interface BackupMade {
  readonly manifest: Manifest;
  /** The size of the file. */
  readonly bytes: number;
  /** The hash of the file. */
  readonly sha256: string;
  /** Digests of artifacts that the database lists and the folder does not have. */
  readonly missing: readonly string[];
}

/**
 * Makes a backup of a server's folder. When this resolves, the file is whole, on the disk, and readable by its owner
 * only. When it rejects, with BackupError for what a user can mend, there is no file.
 *
 * @example
 * const { bytes, missing } = await createBackup({
 *   folder: '/var/lib/srup',
 *   file: '/mnt/backup/srup-2026-11-29.backup',
 *   withArtifacts: true,
 *   passphrase,
 *   now: Date.now(),
 * });
 */
export async function createBackup(options: BackupOptions): Promise<BackupMade> {
  const { folder, file, passphrase } = options;
  await checkSource(folder);
  if (await isThere(file))
    throw new BackupError(`${file} is there already. Choose another name, or remove it.`);
  // In the server's folder, where only those can read them who can read the originals.
  const work = join(folder, '.backup');
  const lock = await lockWork(work);
  const copies = join(work, 'copies');
  const packed = join(dirname(file), `.${basename(file)}.${randomUUID()}`);
  try {
    await rm(copies, { recursive: true, force: true }); // of a backup that was killed
    const collected = await collect({ ...options, onRows: options.onProgress }, copies);
    const { manifest, missing } = collected;
    const content = packBackup(manifest, contentsOf(collected, copies, options), passphrase);
    const made = await writeDurably(content, packed);
    await rename(packed, file);
    await syncFolder(dirname(file));
    return { manifest, missing, ...made };
  } finally {
    await rm(packed, { force: true });
    await rm(copies, { recursive: true, force: true });
    await lock.release();
  }
}

/** Gives the content of each file, and tells how much of all has been read. */
function contentsOf(
  { manifest, small }: Collected,
  copies: string,
  { folder, onProgress }: BackupOptions,
): (file: FileEntry) => AsyncIterable<Uint8Array> {
  const total = bytesOf(manifest);
  let done = 0;
  return ({ path }) => {
    const content = small.get(path);
    const place = isDatabase(path) ? copies : folder;
    const source = content === undefined ? createReadStream(join(place, path)) : Readable.from([content]);
    return source.on('data', (chunk: Uint8Array) => onProgress?.('pack', (done += chunk.length), total));
  };
}

async function lockWork(work: string): Promise<FolderLock> {
  await makePrivateFolder(work);
  try {
    return await lockFolder(work);
  } catch (fault) {
    if (!(fault instanceof FolderLockedError)) throw fault;
    throw new BackupError(`Another backup of this server is being made: ${fault.message}. Wait for its end.`);
  }
}

async function checkSource(folder: string): Promise<void> {
  if (!(await isThere(join(folder, MARKER)))) {
    throw new BackupError(`${folder} holds no server. Name the folder of one with --folder.`);
  }
  // Side files of another user beside the database would keep the server from its own.
  const { uid } = await stat(folder);
  const self = process.getuid?.() ?? uid;
  if (self !== uid) {
    throw new BackupError(
      `${folder} belongs to the user ${uid}, and this is the user ${self}. Run this as that user: sudo -u '#${uid}' ...`,
    );
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function writeDurably(source: Readable, path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(source, meter, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
  await syncFile(path);
  return { bytes, sha256: hash.digest('hex') };
}
