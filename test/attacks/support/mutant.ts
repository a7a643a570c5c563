/** Runs processes without a check, to show that an attack works when nothing stops it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import type { MutationName } from './mutations.ts';

const LOADER = new URL('./mutate.ts', import.meta.url).href;

/** The environment of a process that lacks these checks. */
export function takingAway(...names: readonly MutationName[]): NodeJS.ProcessEnv {
  if (names.length === 0) return {};
  return { NODE_OPTIONS: `--import=${LOADER}`, SRUP_TEST_MUTATIONS: names.join(',') };
}

/** Runs a program of this folder without these checks; resolves to its parsed output. */
export async function runWithout<Answer>(
  names: readonly MutationName[],
  program: string,
  input: unknown,
): Promise<Answer> {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const env = { ...process.env, ...takingAway(...names) };
  const running = promisify(execFile)(process.execPath, [path], { env, maxBuffer: 2 ** 24 });
  running.child.stdin?.end(JSON.stringify(input));
  return JSON.parse((await running).stdout) as Answer;
}
