/** Puts restored databases, which are files, into a database elsewhere. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { copyAll, type CopyMeter } from '../copy/copy.ts';
import { finishCopy } from '../copy/move.ts';
import { openBoth, openTarget, refuseTarget } from '../copy/target.ts';
import type { CopyNote } from '../store/copied.ts';
import { filesIn, type Databases } from '../store/databases.ts';
import { DATABASES } from './places.ts';

export interface MoveInto {
  readonly databases: Databases;
  /** The identity of the server, as hex text. */
  readonly server: string;
  /** Where everything comes from, for people. */
  readonly other: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly onProgress: CopyMeter | undefined;
  readonly tell: (what: string) => void;
}

export interface PreparedMove {
  readonly databases: Databases;
  /** Copies the files of the folder, and removes them. Only when this resolves can a server start on the copy. */
  fill(folder: string): Promise<void>;
}

/** Rejects with `StoreError` when the databases hold anything but what a restore that was broken off left. */
export async function prepareMove(wish: MoveInto): Promise<PreparedMove> {
  const { databases, server, other, at, onProgress, tell } = wish;
  const note: CopyNote = { state: 'unfinished', copy: randomUUID(), server, other, at };
  const target = { databases, note, mayReplace: false, tell };
  await refuseTarget(target);
  return {
    databases,
    fill: async (folder) => {
      {
        await using source = await openBoth(filesIn(folder), tell);
        await using to = await openTarget({ ...target, work: folder });
        await copyAll({ core: source.core.read, keys: source.keys.read }, to, onProgress);
      }
      for (const path of DATABASES) await rm(join(folder, path));
      await finishCopy(databases, { ...note, state: 'finished' }, tell);
    },
  };
}
