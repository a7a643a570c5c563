import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeFileAtomic } from '@srup/node';
import { MARK_NAME } from './environment.ts';

const MARK = /^[0-9a-f]{32}$/;
const POLL_MS = 50;
/** Longest wait after SIGKILL, in milliseconds. A process that the kernel can't end must not hold up the device. */
const KILLED_MS = 5_000;

/**
 * Ends the processes that a killed agent left running, and gives the mark of the new run. It finds them by the mark of
 * the last run in their environment, so it finds nothing where there is no /proc.
 */
export async function replaceMark(path: string, stopMs: number): Promise<{ mark: string; ended: number }> {
  const left = await readFile(path, 'utf8').catch(() => '');
  const ended = MARK.test(left) ? await endMarked(left, stopMs) : 0;
  const mark = randomBytes(16).toString('hex');
  // Written before anything is started with it.
  await writeFileAtomic(path, mark);
  return { mark, ended };
}

async function endMarked(mark: string, stopMs: number): Promise<number> {
  const found = await findMarked(mark);
  for (const [name, limit] of [
    ['SIGTERM', stopMs],
    ['SIGKILL', KILLED_MS],
  ] as const) {
    const until = performance.now() + limit;
    for (const pid of await findMarked(mark)) kill(pid, name);
    while ((await findMarked(mark)).length > 0 && performance.now() < until) await sleep(POLL_MS);
  }
  return found.length;
}

/** Finds the live processes of this user that carry the mark, without this one. */
async function findMarked(mark: string): Promise<number[]> {
  const line = `${MARK_NAME}=${mark}`;
  const names = await readdir('/proc').catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = await Promise.all(
    pids.map(async (pid) => {
      // The environment of zombies and of other users' processes can't be read.
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
      return environment.split('\0').includes(line);
    }),
  );
  return pids.filter((_, at) => found[at]).map(Number);
}

function kill(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone already.
  }
}
