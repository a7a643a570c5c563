import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '@srup/node';
import * as v from 'valibot';
import { codeOf, reasonOf } from '../../ground/trouble.ts';
import { readChunks } from '../chunks.ts';

const PART = '.part';

/** What must be known of the bytes that are here to continue after a restart (P 10.2). */
const sidecarSchema = v.object({
  url: v.string(),
  /** A strong ETag. Without one a download can't be continued, only begun anew. */
  etag: v.exactOptional(v.string()),
});
export type Sidecar = v.InferOutput<typeof sidecarSchema>;

/** An unfinished download: `<digest>.part`, 0600, and its sidecar `<digest>.json`. */
export interface PartialFile {
  readonly path: string;
  /** Bytes that are here, all of them hashed. */
  readonly size: number;
  readonly etag: string | undefined;
  /** Drops all bytes; the next one is the first. */
  restart(sidecar: Sidecar): Promise<void>;
  append(chunk: Uint8Array): Promise<void>;
  /** True when it was opened with bytes of an earlier try: they can be of another version of the file. */
  readonly isContinued: boolean;
  /** SHA-256 of the bytes that are here, as hex. */
  digest(): string;
  /** Resolves when all bytes are on the disk. */
  sync(): Promise<void>;
  /** Removes both files. Call `close` afterwards. */
  discard(): Promise<void>;
  /** Closes the file and keeps the bytes for the next try. */
  close(): Promise<void>;
}

/** The disk refused a write, most often because it is full. */
export class DiskFault extends Error {
  override readonly name = 'DiskFault';
  constructor(cause: unknown) {
    super(`the file can't be written (${codeOf(cause) ?? reasonOf(cause)})`, { cause });
  }
}

async function onDisk<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new DiskFault(error);
  }
}

// O_NOFOLLOW: a link put in the file's place would make us write to a file of the attacker's choice.
const OPEN_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

/** Opens and hashes what an earlier try for this digest and address left, or begins with nothing. */
export async function openPartial(
  folder: string,
  digest: string,
  url: string,
  signal: AbortSignal,
): Promise<PartialFile> {
  const path = join(folder, `${digest}${PART}`);
  const sidecarPath = join(folder, `${digest}.json`);
  const file = await open(path, OPEN_FLAGS, 0o600);
  const left = await readSidecar(sidecarPath);
  let etag = left?.url === url ? left.etag : undefined;
  let hash = createHash('sha256');
  let size = 0;
  try {
    if (etag === undefined) await file.truncate(0);
    else size = await hashInto(hash, file, signal);
  } catch (error) {
    await file.close();
    throw error;
  }
  let isContinued = size > 0;
  return {
    path,
    get size() {
      return size;
    },
    get etag() {
      return etag;
    },
    async restart(sidecar) {
      await onDisk(file.truncate(0));
      hash = createHash('sha256');
      size = 0;
      etag = sidecar.etag;
      isContinued = false;
      await onDisk(writeFileAtomic(sidecarPath, JSON.stringify(sidecar)));
    },
    async append(chunk) {
      await onDisk(writeFully(file, chunk, size));
      hash.update(chunk);
      size += chunk.length;
    },
    get isContinued() {
      return isContinued;
    },
    digest: () => hash.copy().digest('hex'),
    sync: () => file.sync(),
    discard: () => removePartial(folder, digest),
    close: () => file.close(),
  };
}

async function writeFully(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < chunk.length) {
    const { bytesWritten } = await file.write(chunk, written, chunk.length - written, position + written);
    written += bytesWritten;
  }
}

async function hashInto(hash: Hash, file: FileHandle, signal: AbortSignal): Promise<number> {
  let size = 0;
  for await (const chunk of readChunks(file, signal)) {
    hash.update(chunk);
    size += chunk.length;
  }
  return size;
}

async function readSidecar(path: string): Promise<Sidecar | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return v.parse(sidecarSchema, JSON.parse(text));
  } catch {
    // Damaged: nobody knows what the bytes belong to, so the download begins anew.
    return undefined;
  }
}

export async function removePartial(folder: string, digest: string): Promise<void> {
  await rm(join(folder, `${digest}${PART}`), { force: true });
  await rm(join(folder, `${digest}.json`), { force: true });
}

/** Removes unfinished downloads but those of `keep` and the `spare` newest of the others. */
export async function collectPartials(
  folder: string,
  keep: ReadonlySet<string>,
  spare: number,
): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(PART));
  const others = names.map((name) => name.slice(0, -PART.length)).filter((digest) => !keep.has(digest));
  const aged = await Promise.all(
    others.map(async (digest) => ({ digest, at: (await stat(join(folder, `${digest}${PART}`))).mtimeMs })),
  );
  aged.sort((a, b) => b.at - a.at);
  for (const { digest } of aged.slice(spare)) await removePartial(folder, digest);
}
