/** The played device of machine.sh, and what its bootloader does at a restart. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentConfigInput } from '../src/config/config.ts';

const SCRIPT = fileURLToPath(new URL('./machine.sh', import.meta.url));

export interface Machine {
  readonly config: Partial<AgentConfigInput>;
  /** Changes its ways; see machine.sh. */
  set(way: string, text?: string): Promise<void>;
  unset(way: string): Promise<void>;
  /** Steps that were asked for since the last look; `running` is left out. */
  steps(): Promise<readonly string[]>;
  /** What runs: a digest, or `factory`. */
  runs(): Promise<string>;
  /** A slot that was not confirmed is given up, as bootloaders do. `boots`: does what is tried come up? */
  restart(boots?: boolean): Promise<void>;
  readonly bootId: () => Promise<string>;
}

export async function makeMachine(folder: string): Promise<Machine> {
  const machine = join(folder, 'machine');
  await mkdir(machine);
  const path = (name: string) => join(machine, name);
  const read = async (name: string) => (await readFile(path(name), 'utf8').catch(() => '')).trim();
  const write = (name: string, text: string) => writeFile(path(name), `${text}\n`);
  for (const [name, text] of [
    ['booted', 'a'],
    ['confirmed', 'a'],
    ['slot-a', 'factory'],
    ['slot-b', 'nothing'],
  ] as const)
    await write(name, text);
  let boots = 0;
  return {
    config: {
      software: { installer: 'command', command: [SCRIPT], env: { MACHINE: machine }, stepSeconds: 20 },
      health: {
        command: ['/bin/sh', '-c', `test ! -e '${path('sick')}'`],
        deadlineSeconds: 0.2,
      },
    },
    set: (way, text = '') => write(way, text),
    unset: (way) => rm(path(way), { force: true }),
    steps: async () => {
      const lines = (await read('trace')).split('\n');
      await write('trace', '');
      return lines.filter((line) => line !== '' && line !== 'running');
    },
    runs: async () => read(`slot-${await read('booted')}`),
    restart: async (comesUp = true) => {
      boots += 1;
      const tried = await read('try');
      await rm(path('try'), { force: true });
      await write('booted', tried !== '' && comesUp ? tried : await read('confirmed'));
    },
    bootId: () => Promise.resolve(`boot ${boots}`),
  };
}
