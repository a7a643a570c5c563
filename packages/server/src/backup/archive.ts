/** The form of a backup: a gzipped tar, the manifest first. Whoever reads it gets no byte that the manifest does not list. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, Readable, type Transform } from 'node:stream';
import { createGunzip, createGzip } from 'node:zlib';
import type { Secret } from '@srup/node';
import { createTarDecoder, createTarPacker, type ParsedTarEntry } from 'modern-tar';
import { z } from 'zod';
import { decrypt, encrypt, isEncrypted } from './cipher.ts';
import { BackupError } from './fault.ts';

const MANIFEST = 'manifest.json';
const FORMAT = 1;
/** A manifest with a hundred thousand artifacts is a tenth of it. */
const MANIFEST_BYTES = 128 * 2 ** 20;
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);

/** Names that can't leave the folder they are put in. */
const path = z
  .string()
  .max(255)
  .regex(/^\w[\w.-]*(\/\w[\w.-]*)*$/);
const manifest = z.object({
  format: z.literal(FORMAT),
  /** Of the program that made it. */
  version: z.string(),
  serverId: z.string(),
  /** Ms since 1970. */
  createdAt: z.number().int(),
  files: z
    .array(
      z
        .object({ path, bytes: z.number().int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) })
        .readonly(),
    )
    .readonly(),
  /** Were the artifacts to be in it? */
  withArtifacts: z.boolean(),
});

export type Manifest = z.infer<typeof manifest>;
export type FileEntry = Manifest['files'][number];

/** May a file of this path be in a backup? */
export function isPackable(name: string): boolean {
  return path.safeParse(name).success;
}

/** The bytes of a backup. `contentOf` is asked for each file in turn; what differs from the manifest is a BackupError. */
export function packBackup(
  contents: Manifest,
  contentOf: (file: FileEntry) => AsyncIterable<Uint8Array>,
  passphrase?: Secret,
): Readable {
  manifest.parse(contents); // what could not be read again is not written
  const { readable, controller } = createTarPacker();
  const add = async (name: string, bytes: number, content: AsyncIterable<Uint8Array>): Promise<void> => {
    const mtime = new Date(contents.createdAt);
    const writer = controller.add({ name, size: bytes, mode: 0o600, mtime }).getWriter();
    for await (const chunk of content) await writer.write(chunk);
    await writer.close();
  };
  const fill = async (): Promise<void> => {
    const text = Buffer.from(JSON.stringify(contents, undefined, 1));
    await add(MANIFEST, text.length, Readable.from([text]));
    for (const file of contents.files) await add(file.path, file.bytes, checked(file, contentOf(file)));
    controller.finalize();
  };
  fill().catch((fault: unknown) => {
    controller.error(fault);
  });
  const zipped = through(Readable.from(readable), createGzip());
  return passphrase === undefined ? zipped : Readable.from(encrypt(zipped, passphrase));
}

/** Passes the content on; BackupError at its end, at the latest, when it is not what the manifest says. */
async function* checked(
  { path: name, bytes, sha256 }: FileEntry,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  const hash = createHash('sha256');
  let total = 0;
  for await (const chunk of content) {
    total += chunk.length;
    if (total > bytes) break;
    hash.update(chunk);
    yield chunk;
  }
  if (total === bytes && hash.digest('hex') === sha256) return;
  throw new BackupError(`${name} is not what it was: it is damaged, or changed just now. Look at that file.`);
}

/** Takes one file of a backup; it must read the content to its end. */
export type Take = (file: FileEntry, content: AsyncIterable<Uint8Array>) => Promise<void>;

/**
 * Reads a whole backup. Resolves when every file of the manifest was there, once, and right, and nothing else was.
 * BackupError otherwise: then what was taken is worth nothing.
 */
export async function readBackup(
  file: string,
  passphrase: Secret | undefined,
  begin: (contents: Manifest) => Promise<Take> | Take,
): Promise<Manifest> {
  const source = await openSource(file, passphrase);
  try {
    return await readEntries(source, begin);
  } catch (fault) {
    if (fault instanceof BackupError || isSystemFault(fault)) throw fault;
    throw new BackupError(`${file} is damaged (${(fault as Error).message}). Use another copy.`, {
      cause: fault,
    });
  } finally {
    source.destroy();
  }
}

async function openSource(file: string, passphrase: Secret | undefined): Promise<Readable> {
  const handle = await open(file, 'r');
  const start = Buffer.alloc(8);
  try {
    await handle.read(start, 0, start.length, 0);
  } finally {
    await handle.close();
  }
  if (!isEncrypted(start)) {
    if (!start.subarray(0, 2).equals(GZIP_MAGIC))
      throw new BackupError(`${file} is no backup of srup. Use a file that srup backup wrote.`);
    return through(createReadStream(file), createGunzip());
  }
  if (passphrase === undefined) {
    throw new BackupError(`${file} is encrypted. Give its passphrase with --passphrase-file.`);
  }
  return through(Readable.from(decrypt(createReadStream(file), passphrase)), createGunzip());
}

/** A failure of either ends both, and whoever reads the result hears of it. */
function through(source: Readable, transform: Transform): Readable {
  return pipeline(source, transform, () => undefined);
}

/** The disk, not the backup. */
function isSystemFault(fault: unknown): boolean {
  return fault instanceof Error && 'syscall' in fault;
}

async function readEntries(
  source: Readable,
  begin: (contents: Manifest) => Promise<Take> | Take,
): Promise<Manifest> {
  const { readable, writable } = createTarDecoder({ strict: true });
  const feeding = feed(source, writable.getWriter());
  let contents: Manifest | undefined;
  let take: Take | undefined;
  const awaited = new Map<string, FileEntry>();
  for await (const { header, body } of readable as AsyncIterable<ParsedTarEntry>) {
    if (contents === undefined) {
      contents = await readManifest(header.name, body);
      for (const file of contents.files) awaited.set(file.path, file);
      if (awaited.size !== contents.files.length)
        throw new BackupError('The backup lists a file twice. Use a file that srup backup wrote.');
      take = await begin(contents);
      continue;
    }
    const file = awaited.get(header.name);
    if (file === undefined || (header.type ?? 'file') !== 'file') {
      throw new BackupError(
        `The backup holds "${header.name}", which its manifest does not list. Use another copy.`,
      );
    }
    awaited.delete(header.name);
    await take?.(file, checked(file, body));
  }
  await feeding;
  const [missing] = awaited.keys();
  if (contents === undefined || missing !== undefined) {
    throw new BackupError(`The backup is not whole: ${missing ?? MANIFEST} is missing. Use another copy.`);
  }
  return contents;
}

/** Passes on what comes, and every trouble of the source as well: the decoder's reader rejects with it. */
async function feed(source: Readable, decoder: WritableStreamDefaultWriter<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of source) await decoder.write(chunk as Uint8Array);
    await decoder.close();
  } catch (fault) {
    await decoder.abort(fault).catch(() => undefined);
  }
}

async function readManifest(name: string, body: AsyncIterable<Uint8Array>): Promise<Manifest> {
  if (name !== MANIFEST)
    throw new BackupError(
      'This is no backup of srup: it does not begin with a manifest. Use a file that srup backup wrote.',
    );
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MANIFEST_BYTES)
      throw new BackupError('The manifest of the backup is too long. Use a file that srup backup wrote.');
    chunks.push(chunk);
  }
  const text = JSON.parse(Buffer.concat(chunks).toString()) as { format?: unknown };
  if (text.format !== FORMAT) {
    throw new BackupError(
      'The backup is of a form that this version does not know. Use the version that made it, or a newer one.',
    );
  }
  return manifest.parse(text);
}
