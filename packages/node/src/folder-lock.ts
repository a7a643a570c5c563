import { chmodSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Another process uses the folder. `pid`: which one, if that is known. */
export class FolderLockedError extends Error {
  override readonly name = 'FolderLockedError';
  readonly pid: number | undefined;

  constructor(folder: string, pid: number | undefined) {
    super(`${folder} is in use by ${pid === undefined ? 'another process' : `process ${pid}`}`);
    this.pid = pid;
  }
}

export interface FolderLock {
  release(): Promise<void>;
}

const SQLITE_BUSY = 5;

/**
 * Takes a folder for this process alone. Rejects with `FolderLockedError` if another process has it.
 *
 * The lock is an open SQLite transaction, because the operating system ends it together with the process, however that
 * ends. No stale lock is left after kill -9 or a power cut.
 *
 * @example
 * const lock = await lockFolder('/var/lib/srup');
 * await lock.release();
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const file = join(folder, '.lock');
  const pidFile = join(folder, '.lock.pid');
  const database = new DatabaseSync(file);
  try {
    chmodSync(file, 0o600);
    database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    throw isBusy(error) ? new FolderLockedError(folder, await readPid(pidFile)) : error;
  }
  await writeFile(pidFile, `${process.pid}\n`, { mode: 0o600 });
  return {
    release: async () => {
      if (!database.isOpen) return;
      await rm(pidFile, { force: true });
      database.close();
    },
  };
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}

async function readPid(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  return Number.isInteger(pid) ? pid : undefined;
}
