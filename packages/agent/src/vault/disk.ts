import { closeSync, fdatasync, openSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { writeFileAtomic } from '@srup/node';
import { codeOf } from '../trouble.ts';

/** What the state asks of a disk. Small, so that a harness can tear, reorder and lose what was not made durable. */
export interface Disk {
  /** Undefined when there is no such file. */
  readonly read: (path: string) => Promise<Uint8Array | undefined>;
  /** The whole new content or the whole old one, whatever happens; durable when it resolves. */
  readonly replace: (path: string, data: Uint8Array) => Promise<void>;
  /** Durable when it resolves. When it rejects, or power fails, any part of the data may be there. */
  readonly append: (path: string, data: Uint8Array) => Promise<void>;
}

const datasync = promisify(fdatasync);

export const realDisk: Disk = {
  read: async (path) => {
    try {
      return await readFile(path);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  },
  replace: writeFileAtomic,
  append: async (path, data) => {
    // Opening and writing end in memory: only the sync waits for the disk, and is worth the way to another thread.
    const file = openSync(path, 'a', 0o600);
    try {
      for (let at = 0; at < data.length;) at += writeSync(file, data, at);
      await datasync(file);
    } finally {
      closeSync(file);
    }
  },
};
