import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockFolder } from './folder-lock.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-lock-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Another process that holds the lock until it is killed. */
async function startHolder() {
  const script = `import { lockFolder } from '${import.meta.dirname}/folder-lock.ts';
    await lockFolder(process.argv[1]); console.log('locked'); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ['--input-type=module-typescript', '-e', script, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  return holder;
}

test('a second holder is refused and told who has it; after the release it is free', async () => {
  const lock = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toMatchObject({ name: 'FolderLockedError', pid: process.pid });
  await lock.release();
  await lock.release();
  const second = await lockFolder(folder);
  await second.release();
});

test('the lock of a process that was killed is free at once', async () => {
  const holder = await startHolder();
  await expect(lockFolder(folder)).rejects.toMatchObject({ pid: holder.pid });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const lock = await lockFolder(folder);
  await lock.release();
});

test("its files are the owner's alone", async () => {
  const lock = await lockFolder(folder);
  for (const name of await readdir(folder)) {
    expect((await stat(join(folder, name))).mode & 0o077, name).toBe(0);
  }
  await lock.release();
});

test('a folder that is not there is said by its own error', async () => {
  await expect(lockFolder(join(folder, 'none'))).rejects.toThrow('unable to open');
});
