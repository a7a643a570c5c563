import { open, readFile } from 'node:fs/promises';
import { writeFileAtomic } from '@srup/node';
import { codeOf } from '../ground/trouble.ts';

/** The port for the disk that holds the state. Small, so that a harness can tear, reorder and lose what is not durable. */
export interface Disk {
  /** Reads the whole file; undefined when there is none. */
  readonly read: (path: string) => Promise<Uint8Array | undefined>;
  /** Replaces the content: afterwards it is all new or all old, whatever happens. Durable when it resolves. */
  readonly replace: (path: string, data: Uint8Array) => Promise<void>;
  /** Adds data at the end. Durable when it resolves. When it rejects, or power fails, any part of the data can be there. */
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
