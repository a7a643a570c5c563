import { constants, open, readFile, stat } from 'node:fs/promises';
import { writeFileAtomic } from '@srup/node';
import { codeOf } from '../ground/trouble.ts';

/** The port for the disk that holds the state. Small, so that a harness can tear, reorder and lose what is not durable. */
export interface Disk {
  /** Reads the whole file; undefined when there is none. */
  readonly read: (path: string) => Promise<Uint8Array | undefined>;
  /** Replaces the content: afterwards it is all new or all old, whatever happens. Durable when it resolves. */
  readonly replace: (path: string, data: Uint8Array) => Promise<void>;
  /** Opens a file that is there, to add to its end. */
  readonly extend: (path: string) => Promise<Extension>;
}

/** The end of a file. It stays open, as opening and closing it for each commit would cost more than writing. */
export interface Extension {
  /**
   * Adds data at the end. Durable, in the file that has the path, when it resolves. When it rejects, or power fails, any
   * part of the data can be there.
   */
  readonly append: (data: Uint8Array) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** The numbers of some file systems are above 2^53. */
const EXACT = { bigint: true } as const;

function undefinedIfMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}

const statIfThere = (path: string) => stat(path, EXACT).catch(undefinedIfMissing);

export const realDisk: Disk = {
  read: (path) => readFile(path).catch(undefinedIfMissing),
  replace: writeFileAtomic,
  extend: async (path) => {
    // Not made when it is missing: its name would not be durable, and what came before is lost.
    const file = await open(path, constants.O_WRONLY | constants.O_APPEND);
    const { dev, ino } = await file.stat(EXACT);
    return {
      append: async (data) => {
        await file.appendFile(data);
        await file.datasync();
        // What is written to a file that lost its name is gone with the process.
        const there = await statIfThere(path);
        if (there?.ino !== ino || there.dev !== dev)
          throw new Error('somebody removed or replaced the file while it was open');
      },
      close: () => file.close(),
    };
  },
};
