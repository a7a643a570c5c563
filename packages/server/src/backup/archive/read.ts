/** Reads the form of a backup. The reader gets no byte that the manifest does not list. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Secret } from '@srup/node';
import { createTarDecoder, type ParsedTarEntry } from 'modern-tar';
import { checked } from './checked.ts';
import { decrypt, isEncrypted } from './cipher.ts';
import { BackupError } from './fault.ts';
import { FORMAT, manifest, MANIFEST_FILE, type FileEntry, type Manifest } from './manifest.ts';
import { through } from './through.ts';

/** The most bytes of a manifest. One with a hundred thousand artifacts is a tenth of it. */
const MANIFEST_BYTES = 128 * 2 ** 20;
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);

/** Takes one file of a backup; it must read the content to its end. */
export type Take = (file: FileEntry, content: AsyncIterable<Uint8Array>) => Promise<void>;

/**
 * Reads a whole backup. Resolves when every file of the manifest was there, once, and right, and nothing else was.
 * Rejects with BackupError otherwise: then what was taken is worth nothing.
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
      throw new BackupError(`${file} is not a backup of srup. Use a file that srup backup wrote.`);
    return through(createReadStream(file), createGunzip());
  }
  if (passphrase === undefined) {
    throw new BackupError(`${file} is encrypted. Give its passphrase with --passphrase-file.`);
  }
  return through(Readable.from(decrypt(createReadStream(file), passphrase)), createGunzip());
}

/** Tells whether the disk failed, and not the backup. */
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
    throw new BackupError(
      `The backup is not whole: ${missing ?? MANIFEST_FILE} is missing. Use another copy.`,
    );
  }
  return contents;
}

/** Passes on the bytes, and every fault of the source: the decoder's reader rejects with it. */
async function feed(source: Readable, decoder: WritableStreamDefaultWriter<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of source) await decoder.write(chunk as Uint8Array);
    await decoder.close();
  } catch (fault) {
    await decoder.abort(fault).catch(() => undefined);
  }
}

async function readManifest(name: string, body: AsyncIterable<Uint8Array>): Promise<Manifest> {
  if (name !== MANIFEST_FILE)
    throw new BackupError(
      'This is not a backup of srup: it does not begin with a manifest. Use a file that srup backup wrote.',
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
