import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeFileAtomic } from '@srup/node';
import { MARK_NAME } from './environment.ts';

const MARK = /^[0-9a-f]{32}$/;
const POLL_MS = 50;
/** After SIGKILL the kernel needs a moment only; a process that it can't end at all must not hold up the device. */
const KILLED_MS = 5_000;

/**
 * An agent that was killed leaves its program running without it. Ends what the last run of the agent left (told by
 * the mark in its environment) and gives the mark of the new run. Where there is no /proc, nothing is found.
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

/** Live processes of this user that carry the mark, this one excepted. */
async function findMarked(mark: string): Promise<number[]> {
  const line = `${MARK_NAME}=${mark}`;
  const names = await readdir('/proc').catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = await Promise.all(
    pids.map(async (pid) => {
      // Of a zombie, and of other users' processes, there is nothing to read.
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
