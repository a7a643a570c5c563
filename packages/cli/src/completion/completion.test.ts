import { spawnSync } from 'node:child_process';
import { Command } from 'commander';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { addCtlCommand } from '../ctl/command.ts';
import { addCompletionCommand } from './command.ts';

let script: string;

beforeAll(async () => {
  const program = new Command('srup');
  addCtlCommand(program);
  addCompletionCommand(program);
  const write = vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
  await program.parseAsync(['completion', 'bash'], { from: 'user' });
  script = write.mock.calls.join('');
  write.mockRestore();
});

/** What bash offers for the last of the words. */
function offers(...words: string[]): string[] {
  const line = words.map((word) => `'${word}'`).join(' ');
  const ask = `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _srup; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', ask], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((word) => word !== '');
}

describe('completion in bash', () => {
  it('offers commands, commands of commands, choices and options', () => {
    expect(offers('srup', 'c')).toEqual(['ctl', 'completion']);
    expect(offers('srup', 'ctl', 'jo')).toEqual(['joins', 'join']);
    expect(offers('srup', 'ctl', 'policy', 's')).toEqual(['set']);
    expect(offers('srup', 'ctl', 'join', 'acc')).toEqual(['accept']);
    expect(offers('srup', 'ctl', 'update', '--st')).toEqual(['--stage-only']);
  });

  it('finds the command behind options', () => {
    expect(offers('srup', 'ctl', 'update', '--all', '--no')).toEqual(['--no-wait']);
  });

  it('offers nothing of its own where a file is meant', () => {
    expect(offers('srup', 'ctl', 'upload', 'build')).toEqual([]);
  });
});
