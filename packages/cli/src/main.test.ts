import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAUNCHER, runSrup, startSrup } from '../test/run-srup.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Makes Node.js say that it is an old one. */
const OLD = [
  '--import',
  'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"18.0.0"}})',
];

describe('srup', () => {
  it('prints its version', async () => {
    expect(await runSrup(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it.each([
    [['--help']],
    [['help', 'message']],
    [['message', 'decode', '--help']],
    [['message', 'encode', '--help']],
  ])('prints help for %j, with examples or exit codes', async (args) => {
    const { code, stdout, stderr } = await runSrup(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^Usage: srup /);
  });

  it('documents its exit codes and gives examples', async () => {
    expect((await runSrup(['--help'])).stdout).toContain('Exit codes:');
    expect((await runSrup(['message', 'decode', '--help'])).stdout).toMatch(/Examples:[^]*Exit codes:/);
  });

  it.each<[string, string[], RegExp]>([
    ['an unknown command', ['mesage'], /unknown command 'mesage'[^]*Did you mean message/],
    ['an unknown option', ['message', 'decode', '--kee'], /unknown option '--kee'/],
    ['an option without its value', ['message', 'decode', '--key'], /argument missing/],
    ['too many arguments', ['message', 'encode', 'a', 'b'], /too many arguments/],
  ])('exits 2 for %s', async (_what, args, message) => {
    const { code, stderr } = await runSrup(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^srup: /);
    expect(stderr).not.toContain('    at ');
  });

  it('exits 2 when no command is given, and prints help', async () => {
    const { code, stderr } = await runSrup([]);
    expect(code).toBe(2);
    expect(stderr).toContain('Usage: srup');
  });
});

/** docs/operation.md names them. */
const SMALL = ['--lite-mode', '--single-threaded', '--bytecode-old-age=1', '--expose-gc'];

describe('the launcher', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'srup-launcher-'));
    mkdirSync(join(folder, 'bin'));
    for (const file of ['srup.js', 'srup-agent.js', 'launch.js'])
      copyFileSync(join(dirname(LAUNCHER), file), join(folder, 'bin', file));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  });

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('hands over from an old Node.js, with input, output and exit code', async () => {
    const good = await runSrup(['--version'], { node: OLD });
    expect(good).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
    const bad = await runSrup(['message', 'decode', '--json'], { node: OLD, input: '0405' });
    expect(bad.code).toBe(1);
    expect(JSON.parse(bad.stdout)).toMatchObject({ code: 'WIRE_EDITION' });
  });

  it('hands signals over, and ends as a shell would say', async () => {
    const child = startSrup(['message', 'decode', '--batch'], { node: OLD });
    child.stdin!.write('{"hex":"05"}\n');
    await new Promise((resolve) => child.stdout!.once('data', resolve));
    child.kill('SIGTERM');
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(128 + 15);
  });

  it('starts an installed agent with the flags of a small program, in the same process', async () => {
    mkdirSync(join(folder, 'lib/agent'), { recursive: true });
    const source = `export const main = ([, ...argv]) => {
      const { MALLOC_ARENA_MAX: arenas } = process.env;
      console.log(JSON.stringify({ pid: process.pid, argv, small: process.execArgv, gc: typeof gc, arenas }));
    };`;
    writeFileSync(join(folder, 'lib/agent/main.js'), source);
    const launcher = join(folder, 'bin/srup-agent.js');
    const child = startSrup(['--home', 'a b'], { node: ['--no-deprecation'], launcher });
    const [output, errors] = await Promise.all([text(child.stdout!), text(child.stderr!)]);
    expect(errors).toBe('');
    expect(JSON.parse(output)).toEqual({
      pid: child.pid,
      argv: [launcher, '--home', 'a b'],
      small: ['--no-deprecation', ...SMALL],
      gc: 'function',
      arenas: '1',
    });
  });

  it.each([
    ['up', [], ['--max-semi-space-size=16', '--heap-growing-percent=40'], '32768'],
    [
      'start',
      ['--max-semi-space-size=64'],
      ['--max-semi-space-size=64', '--heap-growing-percent=40'],
      '32768',
    ],
    ['ctl', [], [], undefined],
  ])(
    '%s: a server starts with settings that save memory, unless its owner chose others',
    async (command, given, has, mapped) => {
      mkdirSync(join(folder, 'lib'), { recursive: true });
      const source = `export const main = () => {
      const { MALLOC_MMAP_THRESHOLD_: mapped } = process.env;
      console.log(JSON.stringify({ pid: process.pid, flags: process.execArgv, mapped }));
    };`;
      writeFileSync(join(folder, 'lib/main.js'), source);
      const child = startSrup([command], { node: given, launcher: join(folder, 'bin/srup.js') });
      const [output, errors] = await Promise.all([text(child.stdout!), text(child.stderr!)]);
      expect(errors).toBe('');
      expect(JSON.parse(output)).toEqual({ pid: child.pid, flags: has, mapped });
    },
  );

  it('says what is missing when there is no newer Node.js', async () => {
    const launcher = join(folder, 'bin/srup.js');
    const { code, stderr } = await runSrup(['--version'], { node: OLD, launcher });
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^srup: Node.js 24 or newer is needed; this is v[0-9.]+\.\nInstall Node.js 24, or run .+\n$/,
    );
  });

  it('does not hand over to a package "node" that is old too', async () => {
    mkdirSync(join(folder, 'node_modules/node'), { recursive: true });
    writeFileSync(join(folder, 'node_modules/node/package.json'), '{ "version": "20.0.0" }');
    const { code } = await runSrup(['--version'], { node: OLD, launcher: join(folder, 'bin/srup.js') });
    expect(code).toBe(2);
  });
});
