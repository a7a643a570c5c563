/** Writes the form of a backup: a gzipped tar, the manifest first, encrypted if there is a passphrase. */
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { Secret } from '@srup/node';
import { createTarPacker } from 'modern-tar';
import { checked } from './checked.ts';
import { encrypt } from './cipher.ts';
import { manifest, MANIFEST_FILE, type FileEntry, type Manifest } from './manifest.ts';
import { through } from './through.ts';

/**
 * Gives the bytes of a backup. It asks `contentOf` for each file in turn, and fails with BackupError when the content
 * differs from the manifest.
 */
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
    await add(MANIFEST_FILE, text.length, Readable.from([text]));
    for (const file of contents.files) await add(file.path, file.bytes, checked(file, contentOf(file)));
    controller.finalize();
  };
  fill().catch((fault: unknown) => {
    controller.error(fault);
  });
  const zipped = through(Readable.from(readable), createGzip());
  return passphrase === undefined ? zipped : Readable.from(encrypt(zipped, passphrase));
}
