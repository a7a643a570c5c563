import { constants, copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256File, syncFile, type Log } from '@srup/node';
import type { AgentConfig } from '../config/config.ts';
import { AgentError, codeOf, reasonOf } from '../ground/trouble.ts';
import type { RecordFile } from './record.ts';
import type { Slots } from './slots.ts';
import type { Folders } from './folders.ts';

export interface FactoryPorts {
  readonly software: AgentConfig['software'];
  readonly folders: Folders;
  readonly slots: Slots;
  readonly record: RecordFile;
  readonly log: Log;
}

/**
 * Makes the file that came with the device its first good software, so that a failed first update has a way back.
 * Does nothing on a device that has software, or had any. `AgentError` when the file that the configuration names can't be
 * read.
 */
export async function adoptFactory({ software, folders, slots, record, log }: FactoryPorts): Promise<void> {
  const { factory, installer, target } = software;
  const file = factory ?? (installer === 'file' ? target : undefined);
  if (file === undefined) return;
  const { good, trial, results } = await record.read();
  if (good !== undefined || trial !== undefined || results.length > 0) return;
  const copy = join(folders.downloads, 'factory');
  try {
    await rm(copy, { force: true });
    await copyFile(file, copy, constants.COPYFILE_FICLONE);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' && factory === undefined) return;
    throw new AgentError(
      `The software that came with the device can't be read: ${reasonOf(error)}.`,
      'Correct "software.factory" in the configuration, or take it out.',
      error,
    );
  }
  await syncFile(copy);
  const digest = await sha256File(copy);
  await slots.adopt(digest, copy);
  await record.write({ good: digest, former: [], results: [] });
  log.info({ digest }, 'software that came with the device adopted');
}
