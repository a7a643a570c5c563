import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkClock } from './clock.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-clock-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** What doctor says where timedatectl is this script. */
async function verdictWith(script: string): Promise<string> {
  const program = join(folder, 'timedatectl');
  await writeFile(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return (await checkClock(program)).verdict;
}

test('a clock that nothing keeps right is told, and one of which nobody knows is not called right', async () => {
  expect(await verdictWith('test "$*" = "show --property=NTPSynchronized --value" && echo yes')).toBe('ok');
  expect(await verdictWith('echo no')).toBe('warning');
  expect(await verdictWith('echo "Failed to connect to bus" >&2; exit 1')).toBe('untried');
  expect((await checkClock(join(folder, 'none'))).verdict).toBe('untried');
});
