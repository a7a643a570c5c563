/** The program `srup-agent`: the device alone, without the other commands in memory. */
import { Command } from 'commander';
import { execute, speakPlainly, version } from '../execute.ts';
import { describeAgent } from './command.ts';

/** Runs one command; `process.exitCode` is its outcome. */
export function main(argv: readonly string[]): Promise<void> {
  return execute(
    () => describeAgent(speakPlainly(new Command('srup-agent')).version(version(), '-V, --version')),
    argv,
  );
}
