import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { PowerReport } from './main.ts';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** In a process of its own, whose node:fs/promises writes down what is done with it. */
export async function runPowerCuts(seed: number, cuts: number, starts: number): Promise<PowerReport> {
  const args = ['--import', here('hooks.ts'), here('main.ts'), seed, cuts, starts].map(String);
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const said = await text(child.stdout);
  if (!said.startsWith('{')) throw new Error(`no report of power cuts: ${said}`);
  return JSON.parse(said) as PowerReport;
}
