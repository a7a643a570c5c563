import { constants, copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256File, syncFile } from '@srup/node';
import type { Log } from '../log.ts';
import { AgentError, codeOf, reasonOf } from '../trouble.ts';
import type { RecordFile } from '../update/record.ts';
import type { Slots } from '../update/slots.ts';
import type { Folders } from './folders.ts';

export interface FactoryPorts {
  readonly folders: Folders;
  readonly slots: Slots;
  readonly record: RecordFile;
  readonly log: Log;
}

/**
 * Makes the file that came with the device its first good software, so that a failed first update has a way back.
 * Does nothing on a device that has software, or had any. `mustExist`: its absence is a mistake of the configuration.
 */
export async function adoptFactory(file: string, mustExist: boolean, ports: FactoryPorts): Promise<void> {
  const { folders, slots, record, log } = ports;
  const { good, trial, results } = await record.read();
  if (good !== undefined || trial !== undefined || results.length > 0) return;
  const copy = join(folders.downloads, 'factory');
  try {
    await rm(copy, { force: true });
    await copyFile(file, copy, constants.COPYFILE_FICLONE);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' && !mustExist) return;
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
