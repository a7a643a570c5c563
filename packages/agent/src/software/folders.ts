import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makePrivateFolder } from '@srup/node';

/** The folder of the performers, inside the agent's folder. */
export interface Folders {
  readonly root: string;
  readonly slots: string;
  /** Unfinished downloads. */
  readonly downloads: string;
  /** Where programs and commands run. They can write to it, and updates leave it alone. */
  readonly work: string;
  readonly record: string;
  readonly mark: string;
  /** What the device was restarted for (installers/command.ts). */
  readonly restart: string;
}

/** Makes the folders that are missing, and removes files that a power cut left half written. */
export async function openFolders(root: string): Promise<Folders> {
  const folders: Folders = {
    root,
    slots: join(root, 'slots'),
    downloads: join(root, 'downloads'),
    work: join(root, 'work'),
    record: join(root, 'current.json'),
    mark: join(root, 'mark'),
    restart: join(root, 'restart.json'),
  };
  await makePrivateFolder(root);
  for (const folder of [folders.downloads, folders.work])
    await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const folder of [root, folders.downloads]) {
    const leftovers = (await readdir(folder)).filter((name) => name.startsWith('.') && name.endsWith('.tmp'));
    for (const name of leftovers) await rm(join(folder, name), { force: true });
  }
  return folders;
}
