import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runSrup, startSrup, type Outcome } from '../../test/run-srup.ts';

interface Start {
  readonly child: ChildProcess;
  /** Resolves when the text was printed. */
  readonly printed: (text: string) => Promise<string>;
  /** What it wrote to stderr until now. */
  readonly complaints: () => string;
  readonly closed: Promise<number | null>;
}

const MINUTE = 60_000;
const SOON = { timeout: 20_000 };

let root: string;
let folder: string;
let env: Record<string, string>;
let children: ChildProcess[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'srup-start-'));
  folder = join(root, 'srup');
  env = {
    SRUP_CONFIG: join(root, 'ctl.json'),
    npm_lifecycle_event: 'npx',
  };
  children = [];
});

afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await rm(root, { recursive: true });
});

function start(args: readonly string[]): Start {
  const child = startSrup(['start', '--folder', folder, ...args], { env });
  children.push(child);
  let output = '';
  let complaints = '';
  let check = () => undefined as unknown;
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    check();
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const closed = once(child, 'close').then(([code]) => code as number | null);
  const printed = (text: string) =>
    new Promise<string>((resolve, reject) => {
      check = () => output.includes(text) && (resolve(output), true);
      check();
      void closed.then((code) => {
        reject(new Error(`ended with ${code} before it printed "${text}": ${output}${complaints}`));
      });
    });
  return { child, printed, complaints: () => complaints, closed };
}

/** Runs a printed command as it stands there. */
function paste(output: string, part: string): Promise<Outcome> {
  const line = output.split('\n').find((candidate) => candidate.includes(part)) ?? '';
  const [npx, program, ...args] = line.trim().split(' ');
  expect(`${npx} ${program}`).toBe('npx srup');
  return runSrup(args, { env });
}

const ready = 'Events appear here:';

/** After a restart the server knows the device as joined before the device's own process has begun. */
async function deviceProcess(): Promise<number> {
  const file = join(folder, 'demo-device', '.lock.pid');
  let pid = '';
  await expect.poll(async () => (pid = await readFile(file, 'utf8').catch(() => '')), SOON).not.toBe('');
  return Number(pid);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('srup start', () => {
  it(
    'starts everything, prints commands that work, stops all of it, and continues with it',
    async () => {
      const first = start(['--https-port', '0', '--mqtts-port', '0']);
      const output = await first.printed(ready);
      expect(output).toMatch(/demo-device \([1-9a-f][0-9a-f]{15}\) has joined it/);
      expect((await paste(output, 'ctl login')).code).toBe(0);
      expect((await paste(output, 'ctl device demo-device')).stdout).toMatch(/Standing +joined/);
      const update = await paste(output, 'ctl update demo-device');
      expect(update.stdout).toMatch(/demo-device \(\w+\) +active/);
      expect(update.code).toBe(0);
      await first.printed('update active');

      const policy = await runSrup(['ctl', 'policy', '--json'], { env });
      expect(JSON.parse(policy.stdout)).toEqual({ '*': 'ask', demo: 'accept' });
      const codes = await runSrup(['ctl', 'codes', '--json'], { env });
      expect(JSON.parse(codes.stdout)).toEqual([expect.objectContaining({ type: 'demo', usesLeft: 0 })]);

      const device = await deviceProcess();
      expect(isAlive(device)).toBe(true);
      first.child.kill('SIGINT');
      expect(await first.closed).toBe(0);
      expect(isAlive(device)).toBe(false);

      const { port } = new URL(/URL +(\S+)/.exec(output)?.[1] ?? '');
      const broker = new URL(/MQTT +(\S+)/.exec(output)?.[1] ?? '');
      const second = start(['--https-port', port, '--mqtts-port', broker.port]);
      const again = await second.printed(ready);
      expect(again).toContain('continues where the last one stopped');
      expect(again).not.toContain('--token');
      const shown = await paste(again, 'ctl device demo-device');
      expect(shown.stdout).toContain('thermometer-v2.mjs 2.0.0');

      // Killed, it can stop nobody; the device sees it and stops by itself.
      const orphan = await deviceProcess();
      second.child.kill('SIGKILL');
      await second.closed;
      await expect.poll(() => isAlive(orphan), SOON).toBe(false);
    },
    3 * MINUTE,
  );

  it(
    'is a server alone with --no-demo, and warns of open registration',
    async () => {
      const ports = ['--https-port', '0', '--mqtts-port', '0'];
      const { printed, complaints, child, closed } = start(['--no-demo', '--open-registration', ...ports]);
      expect(await printed('Ctrl-C stops it.')).toContain('Set-up token');
      child.kill('SIGINT');
      expect(await closed).toBe(0);
      expect(complaints()).toMatch(/^WARNING: .*--open-registration/m);
    },
    MINUTE,
  );

  it('lets no stranger in as a demo device', async () => {
    const { code, stderr } = await runSrup(['start', '--folder', folder, '--open-registration'], { env });
    expect(code).toBe(2);
    expect(stderr).toContain('any stranger could join');
  });
});
