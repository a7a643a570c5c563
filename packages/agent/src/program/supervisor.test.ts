import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@srup/node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '@srup/node/testing';
import { newFolder, recordingLog, removeFolders } from '../../test/surroundings.ts';
import { runCommand } from './command.ts';
import { fillCommand, makeEnvironment } from './environment.ts';
import { isLoopback, judgeHealth } from './health.ts';
import { replaceMark } from './orphans.ts';
import { createSupervisor, type Supervisor } from './supervisor.ts';
import { serve } from '../../test/file-server.ts';

const never = new AbortController().signal;
let folder: string;
let output: string;
let supervisor: Supervisor;
let log: ReturnType<typeof recordingLog>;

beforeEach(async () => {
  folder = await newFolder();
  output = '';
  log = recordingLog();
  supervisor = createSupervisor({
    stopMs: 1_000,
    backoff: { leastMs: 20, mostMs: 40 },
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', COLOUR: 'blue' },
    clock: systemClock,
    random: { bytes: () => new Uint8Array(), unit: () => 0 },
    log: log.log,
    onOutput: (name, chunk) => (output += `${name}:${Buffer.from(chunk).toString()}`),
  });
});
afterEach(async () => {
  await supervisor.stop();
  await removeFolders();
});

const shell = (script: string): string[] => ['/bin/sh', '-c', script];
const printed = (text: string) => until(text, () => output.includes(text));

describe('the supervisor', () => {
  test('runs a program in its folder and environment, and passes its output on', async () => {
    expect(supervisor.state()).toEqual({ program: 'none', restarts: 0 });
    supervisor.start(shell('echo "$COLOUR in $(pwd)"; echo oh >&2; exec sleep 100'));
    await printed(`stdout:blue in ${folder}`);
    await printed('stderr:oh');
    expect(supervisor.state()).toMatchObject({ program: 'running', restarts: 0 });
    await supervisor.stop();
    expect(supervisor.state()).toEqual({ program: 'stopped', restarts: 0 });
  });

  test('starts a program that died again, later each time', async () => {
    supervisor.start(shell('echo again; exit 7'));
    await until('three restarts', () => supervisor.state().restarts >= 3);
    const waits = log.lines
      .filter(({ text }) => text === 'program ended by itself')
      .map(({ fields }) => fields['waitMs']);
    expect(waits.slice(0, 3)).toEqual([10, 20, 20]);
    expect(log.lines.find(({ text }) => text === 'program ended by itself')?.fields['how']).toBe(
      'exit code 7',
    );
  });

  test('a program that can not be started is one that ended', async () => {
    const end = supervisor.nextEnd();
    supervisor.start([join(folder, 'nothing')]);
    expect(await end).toContain('ENOENT');
    await until('a second try', () => supervisor.state().restarts >= 2);
    await supervisor.stop();
    supervisor.start(['/bin/\0']);
    expect(await supervisor.nextEnd()).toContain("can't be started");
  });

  test('a stop during the wait for a restart is final', async () => {
    supervisor.start(shell('exit 0'));
    await supervisor.nextEnd();
    await supervisor.stop();
    const { restarts } = supervisor.state();
    supervisor.start(shell('echo other; exec sleep 100'));
    await printed('other');
    expect(supervisor.state().restarts).toBe(restarts);
  });

  test('what the program writes at its end is not lost', async () => {
    supervisor.start(shell("trap 'echo goodbye; exit 0' TERM; echo ready; while :; do sleep 0.05; done"));
    await printed('ready');
    await supervisor.stop();
    expect(output).toContain('goodbye');
  });

  test('a program gets signals and lines while it runs, and not otherwise', async () => {
    expect(supervisor.signal('SIGHUP')).toBe(false);
    expect(supervisor.write('x')).toBe(false);
    supervisor.start(
      shell('trap \'echo hup\' HUP; read line; echo "got $line"; while :; do sleep 0.05; done'),
    );
    expect(supervisor.write('hello\n')).toBe(true);
    await printed('got hello');
    expect(supervisor.signal('SIGHUP')).toBe(true);
    await printed('hup');
  });

  test('a program that does not read is not written to without end', async () => {
    supervisor.start(shell('exec sleep 100'));
    const line = 'x'.repeat(64 * 1024);
    let taken = 0;
    while (taken < 1000 && supervisor.write(line)) taken += 1;
    expect(taken).toBeLessThan(20);
  });

  test('a program that closed its input may live on', async () => {
    supervisor.start(shell('exec 0<&-; echo closed; exec sleep 100'));
    await printed('closed');
    for (let times = 0; times < 5; times++) supervisor.write('x'.repeat(1000));
    await until('the pipe breaks', () => !supervisor.write('x'));
    expect(supervisor.state().program).toBe('running');
  });
});

describe('commands', () => {
  const options = { timeoutMs: 5_000, signal: never };
  const run = (script: string, more: object = {}) =>
    runCommand(shell(script), { ...options, cwd: folder, env: { PATH: process.env['PATH'] ?? '' }, ...more });

  test('tell how they ended, and what they complained of', async () => {
    expect(await run('exit 0')).toEqual({ complaint: '' });
    expect(await run('echo no such thing >&2; exit 4')).toEqual({
      failure: 'exit code 4',
      complaint: 'no such thing',
    });
    expect(await run('kill -9 $$')).toEqual({ failure: 'signal SIGKILL', complaint: '' });
    expect(
      (await runCommand([join(folder, 'nothing')], { ...options, cwd: folder, env: {} })).failure,
    ).toContain('ENOENT');
    const { complaint } = await run('yes | head -c 1000000 >&2');
    expect(complaint.length).toBeLessThan(3000);
  });

  test('are killed with their children when time is up', async () => {
    expect(await run('sleep 100 & echo $! > pid; wait', { timeoutMs: 1_000 })).toMatchObject({
      failure: 'no end after 1 s',
    });
    const pid = Number(await readFile(join(folder, 'pid'), 'utf8'));
    await until('the child is gone', () => !isThere(pid));
  });

  test('reject with the reason when the agent stops', async () => {
    const controller = new AbortController();
    const running = run('touch there; exec sleep 100', { signal: controller.signal });
    controller.abort(new Error('stopping'));
    await expect(running).rejects.toThrow('stopping');
  });

  test('get their input, and need not read it', async () => {
    const input = Buffer.alloc(1_000_000, 'x');
    expect(await run('test "$(wc -c)" -eq 1000000', { input })).toEqual({ complaint: '' });
    expect(await run('exit 0', { input })).toEqual({ complaint: '' });
  });

  test('arguments are filled in as a whole, without a shell', async () => {
    const filled = fillCommand(['/bin/sh', '-c', 'test "$1" = "\\$(touch evil)"', 'sh', '{id}'], {
      id: '$(touch evil)',
    });
    expect(filled[4]).toBe('$(touch evil)');
    expect(fillCommand(['{node} {other} {{node}}'], { node: 'N' })).toEqual(['N {other} {N}']);
    await runCommand(filled, { ...options, cwd: folder, env: {} });
    await expect(readFile(join(folder, 'evil'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

test('the environment holds what is on the list, and what was configured', () => {
  const own = { PATH: '/bin', HOME: '/root', SECRET_TOKEN: 'x', LD_PRELOAD: 'y', NODE_OPTIONS: 'z' };
  expect(makeEnvironment(own, { COLOUR: 'red', HOME: '/home' }, 'm')).toEqual({
    PATH: '/bin',
    HOME: '/home',
    COLOUR: 'red',
    SRUP_RUN: 'm',
  });
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('orphans', () => {
  test('of the last run are ended, with all they started; others are left alone', async () => {
    const file = join(folder, 'mark');
    const { mark } = await replaceMark(file, 100);
    const start = async (name: string, env: Record<string, string>) => {
      const script = `trap '' TERM; setsid sh -c 'trap "" TERM; echo $$ > ${name}.child; while :; do sleep 0.1; done' & echo $$ > ${name}; wait`;
      await mkdir(join(folder, name), { recursive: true });
      const other = createSupervisor({
        stopMs: 100,
        backoff: { leastMs: 60_000, mostMs: 60_000 },
        cwd: join(folder, name),
        env: { PATH: process.env['PATH'] ?? '', ...env },
        clock: systemClock,
        random: { bytes: () => new Uint8Array(), unit: () => 1 },
        log: log.log,
        onOutput: () => undefined,
      });
      other.start(shell(script));
      const read = (path: string) => readFile(join(folder, name, path), 'utf8').catch(() => '');
      let pids: string[] = ['', ''];
      await until('both run', () => {
        void Promise.all([read(name), read(`${name}.child`)]).then((found) => (pids = found));
        return pids.every((pid) => pid.endsWith('\n'));
      });
      return { other, pids: pids.map(Number) };
    };
    const ours = await start('ours', { SRUP_RUN: mark });
    const another = randomBytes(16).toString('hex');
    const theirs = await start('theirs', { SRUP_RUN: another });
    const next = await replaceMark(file, 200);
    expect(next.ended).toBeGreaterThanOrEqual(2);
    expect(next.mark).not.toBe(mark);
    await until('ours are gone', () => ours.pids.every((pid) => !isThere(pid)));
    expect(theirs.pids.every(isThere)).toBe(true);
    await writeFile(file, another);
    expect((await replaceMark(file, 100)).ended).toBeGreaterThanOrEqual(2);
    await Promise.all([ours.other.stop(), theirs.other.stop()]);
  });

  test('an unreadable mark finds no process', async () => {
    const file = join(folder, 'mark');
    for (const text of ['', 'PATH', '../..']) {
      await writeFile(file, text);
      expect((await replaceMark(file, 100)).ended).toBe(0);
    }
  });
});

describe('health', () => {
  const rules = { aliveMs: 50, timeoutMs: 1_000, deadlineMs: 2_000 };
  const ports = (programEnd: Promise<string> | undefined = new Promise<string>(() => undefined)) => ({
    programEnd,
    command: { cwd: folder, env: { PATH: process.env['PATH'] ?? '' } },
  });

  test('the program has to stay alive', async () => {
    expect(await judgeHealth(rules, ports(), never)).toBeUndefined();
    const ended = Promise.resolve('signal SIGSEGV');
    expect(await judgeHealth({ ...rules, aliveMs: 60_000 }, ports(ended), never)).toBe(
      'the program ended: signal SIGSEGV',
    );
  });

  test('the end of the program counts while another check goes on', async () => {
    let tellEnd: (how: string) => void = () => undefined;
    const end = new Promise<string>((resolve) => (tellEnd = resolve));
    const judged = judgeHealth(
      { ...rules, command: shell('touch asked; exit 1'), deadlineMs: 60_000 },
      ports(end),
      never,
    );
    let asked = false;
    await until('the command was tried', () => {
      void readFile(join(folder, 'asked')).then(
        () => (asked = true),
        () => undefined,
      );
      return asked;
    });
    tellEnd('exit code 1');
    expect(await judged).toBe('the program ended: exit code 1');
  });

  test('a command is tried until it is content', async () => {
    const command = shell('echo >> tries; test "$(wc -l < tries)" -ge 3');
    expect(await judgeHealth({ ...rules, command }, ports(), never)).toBeUndefined();
    expect(await readFile(join(folder, 'tries'), 'utf8')).toBe('\n\n\n');
  });

  test('a command that is never content fails at the deadline', async () => {
    const short = { ...rules, deadlineMs: 200 };
    expect(await judgeHealth({ ...short, command: shell('exit 2') }, ports(), never)).toBe(
      'health command: exit code 2',
    );
    const slow = { ...short, timeoutMs: 100, command: ['/bin/sleep', '100'] };
    expect(await judgeHealth(slow, ports(undefined), never)).toBe('health command: no end after 0.1 s');
  });

  test('an address has to answer 2xx', async () => {
    let count = 0;
    const server = await serve((request, response) => {
      count += 1;
      if (request.url === '/slow') return;
      response.writeHead(request.url === '/ready' && count > 2 ? 204 : 503).end();
    });
    expect(await judgeHealth({ ...rules, url: `${server.url}/ready` }, ports(), never)).toBeUndefined();
    expect(count).toBe(3);
    const short = { ...rules, timeoutMs: 5_000, deadlineMs: 100 };
    const judge = (path: string, timeoutMs = short.timeoutMs) =>
      judgeHealth({ ...short, timeoutMs, url: `${server.url}${path}` }, ports(), never);
    expect(await judge('/never')).toBe('health address: it answered 503');
    expect(await judge('/slow', 50)).toBe('health address: no answer in time');
    await server.close();
    expect(await judge('/')).toContain('ECONNREFUSED');
  });

  test('all that is named must hold', async () => {
    const both = { ...rules, deadlineMs: 200, command: ['/bin/true'], url: 'http://127.0.0.1:1/' };
    expect(await judgeHealth(both, ports(), never)).toContain('health address');
  });

  test('an aborted check rejects with the reason', async () => {
    const controller = new AbortController();
    const judged = judgeHealth({ ...rules, aliveMs: 60_000 }, ports(), controller.signal);
    controller.abort(new Error('stopping'));
    await expect(judged).rejects.toThrow('stopping');
  });

  test('only this device may be asked', () => {
    expect(['http://127.0.0.1:80/x', 'http://localhost/', 'http://[::1]:8/'].every(isLoopback)).toBe(true);
    expect(
      ['http://10.0.0.1/', 'https://localhost/', 'http://localhost.example/', 'x'].some(isLoopback),
    ).toBe(false);
  });
});
