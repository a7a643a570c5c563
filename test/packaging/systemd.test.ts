import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isMissing, locate } from '../../scripts/system-programs.ts';
import { runSrup } from '../support/processes.ts';

const FOLDER = fileURLToPath(new URL('../../packaging/systemd/', import.meta.url));
const UNITS = ['srup-server.service', 'srup-agent.service'] as const;
const NODE = '/usr/lib/node_modules/srup/node_modules/node/bin/node';
/** Tenths of systemd's measure from 0 (closed) to 10 (open). */
const MOST_EXPOSED = { 'srup-server.service': 20, 'srup-agent.service': 25 } as const;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-units-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

function analyze(...args: string[]): Promise<{ failed: boolean; said: string }> {
  return new Promise((resolve) => {
    execFile(locate('systemd-analyze') ?? 'systemd-analyze', args, (error, stdout, stderr) => {
      resolve({ failed: error !== null, said: stdout + stderr });
    });
  });
}

/** The unit with a program that is there: systemd looks for it. */
async function installed(unit: string, change: (text: string) => string = (text) => text): Promise<string> {
  const text = await readFile(join(FOLDER, unit), 'utf8');
  const path = join(folder, unit);
  await writeFile(path, change(text.replace(NODE, process.execPath)));
  return path;
}

describe.skipIf(isMissing('systemd-analyze'))('the systemd units', () => {
  it.each(UNITS)('%s is understood in every line, and closes what need not be open', async (unit) => {
    const path = await installed(unit);
    expect(await analyze('verify', path)).toEqual({ failed: false, said: '' });
    const threshold = `--threshold=${MOST_EXPOSED[unit]}`;
    const { failed, said } = await analyze('security', '--offline=true', '--no-pager', threshold, path);
    expect(failed, said).toBe(false);
  });

  it('a mistake in one would be seen', async () => {
    const wrong = await installed(UNITS[0], (text) => text.replace('ProtectSystem=', 'ProtectSytem='));
    expect((await analyze('verify', wrong)).said).toContain('ProtectSytem');
    const open = await installed(UNITS[1], (text) =>
      text.replaceAll(/^(Protect|Restrict|SystemCall).*$/gm, ''),
    );
    const { failed } = await analyze('security', '--offline=true', '--no-pager', '--threshold=25', open);
    expect(failed).toBe(true);
  });
});

it.each([
  ['srup-server.service', 'bin/srup.js up', ['up']],
  ['srup-agent.service', 'bin/srup-agent.js', ['agent']],
])('%s gives srup only what it takes', async (unit, program, command) => {
  const text = await readFile(join(FOLDER, unit), 'utf8');
  const start = `ExecStart=${NODE} /usr/lib/node_modules/srup/${program} `;
  const [, args = ''] = text.split(start);
  const words = args.slice(0, args.indexOf('\n')).split(' ');
  expect(words).toContain('--json-logs');
  const { stdout } = await runSrup([...command, '--help']);
  for (const flag of words.filter((word) => word.startsWith('--'))) expect(stdout).toContain(`  ${flag}`);
});
