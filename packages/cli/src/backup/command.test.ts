import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runSrup } from '../../test/run-srup.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-backup-'));
  await writeFile(join(folder, 'run.sh'), '#!/bin/sh\n');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

test.each<[string[], RegExp]>([
  [
    ['restore', 'run.sh', '--check'],
    /run\.sh is not a backup of srup\.\nUse a file that srup backup wrote\.\n$/,
  ],
  [['restore', 'none', '--check'], /none can't be used: it does not exist\nCheck the path/],
  [['restore', '.', '--check'], /: it is a folder\n/],
  [
    ['backup', 'out', '--folder', '.', '--passphrase-file', 'none'],
    /none can't be read: it does not exist\nName a file/,
  ],
])('%j: what happened, and what to do', async ([command = '', file = '', ...rest], words) => {
  const placed = rest.map((word) => (word === 'none' || word === '.' ? join(folder, word) : word));
  const { code, stderr } = await runSrup([command, join(folder, file), ...placed]);
  expect(stderr).toMatch(words);
  expect(code).toBe(2);
});
