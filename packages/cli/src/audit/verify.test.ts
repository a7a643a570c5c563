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

test('a file that is not a history is wrong use, not a contradiction', async () => {
  const file = join(folder, 'run.sh');
  await writeFile(file, '#!/bin/sh\nwhile :; do sleep 1; done\n');
  const { code, stdout, stderr } = await runSrup(['verify', file]);
  expect(stderr).toContain(`${file} holds no line of a history\nGive the output of "srup audit export".`);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
});

test('a key that is neither a fingerprint nor a file is reported as both', async () => {
  const { code, stderr } = await runSrup(['verify', '-', '--server-key', 'zz'], { input: '' });
  expect(stderr).toMatch(/"zz" is not a fingerprint \(64 hex digits\).*it does not exist\n.*fingerprint/);
  expect(code).toBe(2);
});
