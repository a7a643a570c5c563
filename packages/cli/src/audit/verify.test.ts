import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runSrup } from '../../test/run-srup.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-verify-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('what is no history is no history that contradicts itself', async () => {
  const file = join(folder, 'run.sh');
  await writeFile(file, '#!/bin/sh\nwhile :; do sleep 1; done\n');
  const { code, stdout, stderr } = await runSrup(['verify', file]);
  expect(stderr).toContain(`${file} holds nothing of a history\nGive what "srup audit export" writes.`);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
});

test('a key that is neither a fingerprint nor a file: both are said', async () => {
  const { code, stderr } = await runSrup(['verify', '-', '--server-key', 'zz'], { input: '' });
  expect(stderr).toMatch(/"zz" is no fingerprint \(64 hex digits\).*it is not there\n.*fingerprint/);
  expect(code).toBe(2);
});
