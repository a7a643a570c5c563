import { open, readFile } from 'node:fs/promises';
import { writeFileAtomic } from '@srup/node';
import { codeOf } from '../ground/trouble.ts';

/** What the state asks of a disk. Small, so that a harness can tear, reorder and lose what was not made durable. */
export interface Disk {
  /** Undefined when there is no such file. */
  readonly read: (path: string) => Promise<Uint8Array | undefined>;
  /** The whole new content or the whole old one, whatever happens; durable when it resolves. */
  readonly replace: (path: string, data: Uint8Array) => Promise<void>;
  /** Durable when it resolves. When it rejects, or power fails, any part of the data may be there. */
  readonly append: (path: string, data: Uint8Array) => Promise<void>;
}

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
    const file = await open(path, 'a', 0o600);
    try {
      await file.appendFile(data);
      await file.datasync();
    } finally {
      await file.close();
    }
  },
};
