import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Transform } from 'node:stream';
import type { ArtifactView } from '../../client/views.ts';
import { UserError } from '../../user-error.ts';
import type { Api } from '../../client/api.ts';
import { showProgress } from '../../screen/progress.ts';
import { byteCount } from '../../screen/words.ts';

export interface LocalFile {
  readonly path: string;
  readonly bytes: number;
}

export interface Naming {
  readonly name?: string | undefined;
  readonly version?: string | undefined;
}

/** The file at a path; undefined if it does not exist. Throws `UserError` for a folder or an empty file. */
export async function localFile(path: string): Promise<LocalFile | undefined> {
  const found = await stat(path).catch((error: unknown) => {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return undefined;
    throw new UserError(`${path} can't be read: ${message}`, 'Check the path and your permissions.');
  });
  if (found === undefined) return undefined;
  if (found.isDirectory())
    throw new UserError(`${path} is a folder`, 'Pack it: tar czf software.tar.gz -C FOLDER .');
  if (!found.isFile()) throw new UserError(`${path} is not a regular file`, 'Name a file.');
  if (found.size === 0) throw new UserError(`${path} is empty`, 'It holds nothing to install.');
  return { path, bytes: found.size };
}

/** Streams a file to the server, which checks the digest that was computed here. */
export async function upload(
  api: Api,
  file: LocalFile,
  digest: string,
  naming: Naming,
): Promise<ArtifactView> {
  const name = naming.name ?? basename(file.path);
  const progress = showProgress('uploading {bar} {percentage}% of {size}', file.bytes, {
    size: byteCount(file.bytes),
  });
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      progress.add(chunk.length);
      done(undefined, chunk);
    },
  });
  const source = createReadStream(file.path);
  source.once('error', (error) => counted.destroy(error));
  try {
    return await api.put(
      '/artifacts',
      { name, version: naming.version, digest },
      source.pipe(counted),
      file.bytes,
    );
  } finally {
    source.destroy();
    progress.stop();
  }
}

export async function digestOf({ path }: LocalFile): Promise<string> {
  const { sha256File } = await import('@srup/node');
  return sha256File(path).catch((error: unknown) => {
    throw new UserError(`${path} can't be read: ${(error as Error).message}`, 'Check your permissions.');
  });
}
