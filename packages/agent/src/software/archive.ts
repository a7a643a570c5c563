import type { FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { constants, createGunzip, createZstdDecompress } from 'node:zlib';

export type ArchiveKind = 'tar' | 'tar.gz' | 'tar.zst';

const GZIP = Buffer.from([0x1f, 0x8b]);
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const USTAR = Buffer.from('ustar');
const USTAR_AT = 257;
const HEAD_BYTES = USTAR_AT + USTAR.length;
/** Binary logarithm of the memory that a zstd archive may ask for: 32 MiB. `zstd -19` asks for 8 MiB. */
const ZSTD_WINDOW_LOG = 25;

/** Finds the kind of an archive by its first bytes; undefined when it is none that we know. */
export async function detectArchive(file: FileHandle): Promise<ArchiveKind | undefined> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
  const head = buffer.subarray(0, bytesRead);
  if (head.subarray(0, GZIP.length).equals(GZIP)) return 'tar.gz';
  if (head.subarray(0, ZSTD.length).equals(ZSTD)) return 'tar.zst';
  return head.subarray(USTAR_AT).equals(USTAR) ? 'tar' : undefined;
}

/** Opens the tar inside an archive. Memory stays small whatever the archive holds; the reader counts what comes out. */
export function openTar(chunks: AsyncIterable<Uint8Array>, kind: ArchiveKind): Readable {
  const stored = Readable.from(chunks, { objectMode: false });
  if (kind === 'tar') return stored;
  const unpacked =
    kind === 'tar.gz'
      ? createGunzip()
      : createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG } });
  // An archive that is damaged at its beginning fails before anybody reads: without a listener that would end the agent.
  unpacked.on('error', () => undefined);
  // The reader sees an error of either stream as its own.
  return pipeline(stored, unpacked, () => undefined);
}
