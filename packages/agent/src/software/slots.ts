import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makePrivateFolder, syncFolder } from '@srup/node';
import { isDigest } from '@srup/protocol';
import { codeOf } from '../ground/trouble.ts';
import { digestOf, openRegular } from './chunks.ts';

/** One version of the software, named by the SHA-256 of its file as it was stored at the server. */
export interface Slot {
  readonly digest: string;
  readonly folder: string;
  /** The file itself, 0600 until it was verified for a start. */
  readonly artifact: string;
  /** The folder that an archive is unpacked to, anew before each switch to it. */
  readonly content: string;
}

export interface Slots {
  of(digest: string): Slot;
  /** Is the file of this digest here and whole (P 10.12)? A damaged one is removed. */
  holds(digest: string, signal?: AbortSignal): Promise<boolean>;
  /** Moves a verified file of the same file system into its slot. */
  adopt(digest: string, file: string): Promise<void>;
  remove(digest: string): Promise<void>;
  /** Removes all slots but those of `keep` and the `staged` newest of the others. */
  collect(keep: ReadonlySet<string>, staged: number): Promise<void>;
}

/** Prefix of slots that are being made or removed. After a power cut they are removed unread. */
const UNFINISHED = '.';

/** Opens the slots in `folder`. Makes it if it is missing, and removes what a power cut left half done. */
export async function openSlots(folder: string): Promise<Slots> {
  await makePrivateFolder(folder);
  for (const name of await readdir(folder)) {
    if (name.startsWith(UNFINISHED)) await rm(join(folder, name), { recursive: true, force: true });
  }

  function of(digest: string): Slot {
    // The digest becomes a path: anything that P 2.6 forbids could lead out of the folder.
    if (!isDigest(digest)) throw new RangeError('a slot is named by 64 lower-case hex digits');
    const slot = join(folder, digest);
    return { digest, folder: slot, artifact: join(slot, 'artifact'), content: join(slot, 'content') };
  }

  async function remove(digest: string): Promise<void> {
    const doomed = join(folder, `${UNFINISHED}${digest}`);
    await rm(doomed, { recursive: true, force: true });
    await rename(of(digest).folder, doomed).catch(ignoreAbsence);
    await rm(doomed, { recursive: true, force: true });
  }

  return {
    of,
    remove,
    async holds(digest, signal) {
      const file = await openRegular(of(digest).artifact);
      if (file === undefined) return false;
      try {
        if ((await digestOf(file, signal)) === digest) return true;
      } finally {
        await file.close();
      }
      await remove(digest);
      return false;
    },
    async adopt(digest, file) {
      await remove(digest);
      const unfinished = join(folder, `${UNFINISHED}${digest}`);
      await mkdir(unfinished, { mode: 0o700 });
      await rename(file, join(unfinished, 'artifact'));
      await syncFolder(unfinished);
      await rename(unfinished, of(digest).folder);
      await syncFolder(folder);
    },
    async collect(keep, staged) {
      const others = (await readdir(folder)).filter((name) => isDigest(name) && !keep.has(name));
      const aged = await Promise.all(
        others.map(async (digest) => ({ digest, at: (await stat(of(digest).folder)).mtimeMs })),
      );
      aged.sort((a, b) => b.at - a.at);
      for (const { digest } of aged.slice(staged)) await remove(digest);
    },
  };
}

function ignoreAbsence(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error;
}
