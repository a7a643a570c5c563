/** Small programs that leave a trace, for tests of what runs when. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentConfigInput } from '../src/config/config.ts';
import { openSlots } from '../src/software/slots.ts';
import { sha256 } from './surroundings.ts';

const traceOf = (folder: string): string => join(folder, 'trace');

/** Lives until it is told to end. */
export const goodProgram = (name: string): string => `#!/bin/sh
echo "${name} $$ good" >> "$TRACE"
exec sleep 1000
`;

/** Ends at once. */
export const badProgram = (name: string): string => `#!/bin/sh
echo "${name} $$ bad" >> "$TRACE"
exit 3
`;

/** Doesn't end on SIGTERM, and starts a child that doesn't either. */
export const stubbornProgram = (name: string): string => `#!/bin/sh
trap '' TERM
echo "${name} $$ good" >> "$TRACE"
sh -c 'echo "child $$ good" >> "$TRACE"; while :; do sleep 0.1; done' &
while :; do sleep 0.1; done
`;

export interface Started {
  readonly name: string;
  readonly pid: number;
}

/** Every start of a program, in order. */
export async function started(folder: string): Promise<Started[]> {
  const text = await readFile(traceOf(folder), 'utf8').catch(() => '');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [name = '', pid = ''] = line.split(' ');
    return { name, pid: Number(pid) };
  });
}

export async function alive(folder: string): Promise<string[]> {
  const all = await started(folder);
  const found = await Promise.all(all.map(({ pid }) => isAlive(pid)));
  return all.filter((_, at) => found[at]).map(({ name }) => name);
}

/** One that is over, and only not yet buried by its parent, is not alive. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat !== undefined && !/\) [ZX] /.test(stat);
}

/** Healthy: the program that was started last says so, and lives. */
export function configOf(
  folder: string,
  software: AgentConfigInput['software'] = {},
): Partial<AgentConfigInput> {
  return {
    software: {
      env: { TRACE: traceOf(folder) },
      stopSeconds: 2,
      restart: { leastSeconds: 0.1, mostSeconds: 0.2 },
      ...software,
    },
    health: {
      aliveSeconds: 0.1,
      command: ['/bin/sh', '-c', 'tail -n 1 "$TRACE" | grep -q good'],
      deadlineSeconds: 10,
    },
  };
}

/** Puts a file where a download would have put it. */
export async function stage(folder: string, content: string | Uint8Array): Promise<string> {
  const slots = await openSlots(join(folder, 'software', 'slots'));
  const path = join(folder, 'software', 'staged');
  await writeFile(path, content, { mode: 0o600 });
  await slots.adopt(sha256(content), path);
  return sha256(content);
}
