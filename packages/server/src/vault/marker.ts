/** `vault.json`: says that the first start was completed, and in which format the folder is. */
import { join } from 'node:path';
import { writeFileAtomic } from '@srup/node';
import { readIfThere, VaultError } from './files.ts';

const FORMAT = 1;

const fileIn = (folder: string): string => join(folder, 'vault.json');

/** Was the first start completed? Throws `VaultError` for a damaged marker, and for one of a newer version. */
export async function isComplete(folder: string): Promise<boolean> {
  const path = fileIn(folder);
  const text = await readIfThere(path);
  if (text === undefined) return false;
  const match = /"format":\s*(\d+)/.exec(text);
  if (match === null)
    throw new VaultError(
      `${path} is damaged. Restore it from a backup; its content is {"format":${FORMAT}}.`,
    );
  if (Number(match[1]) > FORMAT)
    throw new VaultError(
      `${path} was written by a newer version of this software. Use that version or a newer one.`,
    );
  return true;
}

export async function markComplete(folder: string): Promise<void> {
  await writeFileAtomic(fileIn(folder), `${JSON.stringify({ format: FORMAT })}\n`);
}
