import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';

const OWNER_FILE = 0o600;
const OWNER_FOLDER = 0o700;

/**
 * Writes a file as a whole: after a power cut at any instant the path holds the old content or the new one. The file
 * is durable when this resolves. `mode`: by default only the owner can read it.
 *
 * @example
 * await writeFileAtomic('/var/lib/srup/state.json', JSON.stringify(state));
 */
export async function writeFileAtomic(
  path: string,
  data: Uint8Array | string,
  mode = OWNER_FILE,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined); // the first error is the one to tell
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Makes durable what was created, renamed or removed in a folder. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Makes durable the content of a file that others have written. */
export const syncFile = syncFolder;

/**
 * Makes the folder and those above it that do not exist; returns the topmost one that it made. `mkdir` of Node.js can
 * do that too, but tries for ever where the system makes no folder (/proc).
 */
export async function makeFolders(path: string, mode?: number): Promise<string | undefined> {
  const folder = resolve(path);
  const isMade = await makeFolder(folder, mode).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(folder) === folder) throw error;
    return undefined;
  });
  if (isMade !== undefined) return isMade ? folder : undefined;
  const first = await makeFolders(dirname(folder), mode);
  return (await makeFolder(folder, mode)) ? (first ?? folder) : first;
}

/** False if the folder existed. */
async function makeFolder(folder: string, mode?: number): Promise<boolean> {
  try {
    await mkdir(folder, mode);
    return true;
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST' && (await stat(folder)).isDirectory();
    if (isThere) return false;
    throw error;
  }
}

/**
 * Makes the folder and those above it. All are durable when this resolves: without its name nothing in a folder would
 * be. The folder itself belongs to the owner alone, even if it existed before.
 */
export async function makePrivateFolder(path: string): Promise<void> {
  const folder = resolve(path);
  const first = await makeFolders(folder, OWNER_FOLDER);
  await chmod(folder, OWNER_FOLDER);
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

/**
 * The SHA-256 of a file's bytes, as 64 lower-case hex digits (P 2.6).
 *
 * @example
 * const digest = await sha256File('firmware.bin');
 */
export async function sha256File(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, signal === undefined ? {} : { signal });
  return hash.digest('hex');
}
