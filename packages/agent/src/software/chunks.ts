import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

const CHUNK_BYTES = 256 * 1024;

/**
 * Opens a regular file for reading; undefined when there is none. Whatever is checked afterwards is this opened file, even
 * if its name points to another one by then (threat 14). A symbolic link is not followed.
 */
export async function openRegular(path: string): Promise<FileHandle | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => undefined,
  );
  if (file === undefined) return undefined;
  if ((await file.stat()).isFile()) return file;
  await file.close();
  return undefined;
}

/** Reads the file from its first byte, in new buffers. The file stays open. */
export async function* readChunks(file: FileHandle, signal?: AbortSignal): AsyncGenerator<Uint8Array, void> {
  for (let position = 0; ;) {
    signal?.throwIfAborted();
    const { bytesRead, buffer } = await file.read(new Uint8Array(CHUNK_BYTES), 0, CHUNK_BYTES, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Passes chunks on; afterwards `digest()` gives the SHA-256 of all of them, as hex. */
export function hashing(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> & { digest(): string } {
  const hash = createHash('sha256');
  return {
    async *[Symbol.asyncIterator]() {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    },
    digest: () => hash.digest('hex'),
  };
}

/** SHA-256 of an opened file, hex. */
export async function digestOf(file: FileHandle, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of readChunks(file, signal)) hash.update(chunk);
  return hash.digest('hex');
}
