import { createHash } from 'node:crypto';
import { BackupError } from './fault.ts';
import type { FileEntry } from './manifest.ts';

/** Passes the content on. Throws BackupError at its end, at the latest, when it is not what the manifest says. */
export async function* checked(
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
