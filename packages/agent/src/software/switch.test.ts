import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packTar } from 'modern-tar';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '@srup/node/testing';
import {
  alive,
  badProgram,
  configOf,
  goodProgram,
  stage,
  started,
  stubbornProgram,
} from '../../test/programs.ts';
import { newFolder, removeFolders, surroundingsAt, type TestSurroundings } from '../../test/surroundings.ts';
import type { AgentConfigInput } from '../config/config.ts';
import type { Performers } from '../engine/performers.ts';
import { createPerformers, type PerformerExtras } from '../performers/performers.ts';
import type { Deferral } from '../deferral/deferral.ts';
import { deferUpdates } from '../deferral/owner.ts';
import type { InstallStep } from './switch-ports.ts';

const never = new AbortController().signal;
const CHILD = fileURLToPath(new URL('../../test/switch-child.ts', import.meta.url));

let folder: string;
let performers: Performers | undefined;
let surroundings: TestSurroundings;

beforeEach(async () => {
  folder = await newFolder();
});
afterEach(async () => {
  await performers?.stop();
  performers = undefined;
  expect(await alive(folder)).toEqual([]);
  await removeFolders();
});

async function start(
  config: Partial<AgentConfigInput> = {},
  extras: PerformerExtras = {},
): Promise<Performers> {
  surroundings = surroundingsAt(folder, { ...configOf(folder), ...config });
  performers = createPerformers(surroundings, extras);
  await performers.start();
  return performers;
}

const install = (digest: string, token = `token-${digest}`) =>
  performers!.install({ do: 'install', digest, token }, never);

async function restart(config: Partial<AgentConfigInput> = {}): Promise<void> {
  await performers?.stop();
  await start(config);
}

/** Waits until exactly this program lives. */
async function expectAlive(name: string): Promise<void> {
  let names: string[] = [];
  await until(`only ${name} lives`, () => {
    void alive(folder).then((found) => (names = found));
    return names.length === 1 && names[0] === name;
  });
}

describe('a switch', () => {
  test('the first software, the next, and back again without a download (P 10.12)', async () => {
    await start();
    expect(performers!.running()).toEqual({ program: 'none', restarts: 0 });
    const one = await stage(folder, goodProgram('one'));
    expect(await install(one)).toEqual({ outcome: 'active' });
    expect(performers!.running()).toMatchObject({ digest: one, program: 'running' });
    const two = await stage(folder, goodProgram('two'));
    expect(await install(two)).toEqual({ outcome: 'active' });
    await expectAlive('two');
    expect(
      await performers!.fetch({ do: 'fetch', url: 'https://127.0.0.1:1/', digest: one, token: 'x' }, never),
    ).toBe('ok');
    expect(await install(one, 'again')).toEqual({ outcome: 'active' });
    await expectAlive('one');
    expect(performers!.running().digest).toBe(one);
  });

  test('one token is switched for once', async () => {
    await start();
    const one = await stage(folder, goodProgram('one'));
    await install(one, 'same');
    expect(await install(one, 'same')).toEqual({ outcome: 'active' });
    await restart();
    expect(await install(one, 'same')).toEqual({ outcome: 'active' });
    await until('the second start', () => performers!.running().program === 'running');
    await expectAlive('one');
    expect((await started(folder)).length).toBe(2);
  });

  test('what runs already is not started again for a new token (P 10.3)', async () => {
    await start();
    const one = await stage(folder, goodProgram('one'));
    await install(one);
    const { pid } = performers!.running();
    expect(await install(one, 'another')).toEqual({ outcome: 'active' });
    expect(performers!.running().pid).toBe(pid);
  });

  test('software that fails its health check gives way to what ran before (P 10.1)', async () => {
    await start();
    const good = await stage(folder, goodProgram('good'));
    await install(good);
    const bad = await stage(folder, badProgram('bad'));
    expect(await install(bad, 'bad')).toEqual({
      outcome: 'reverted',
      reason: 'the program ended: exit code 3',
    });
    await expectAlive('good');
    expect(performers!.running()).toMatchObject({ digest: good, program: 'running' });
    await restart();
    await expectAlive('good');
    expect(await install(bad, 'bad')).toMatchObject({ outcome: 'reverted' });
    expect((await started(folder)).filter(({ name }) => name === 'bad').length).toBe(1);
  });

  test('the first software of all fails: nothing runs, and the next one may', async () => {
    await start();
    const bad = await stage(folder, badProgram('bad'));
    expect(await install(bad)).toMatchObject({ outcome: 'reverted' });
    // How often it was started anew before it was withdrawn is a matter of the disk.
    expect(performers!.running()).toEqual({ program: 'stopped', restarts: expect.any(Number) as number });
    const good = await stage(folder, goodProgram('good'));
    expect(await install(good)).toEqual({ outcome: 'active' });
    await expectAlive('good');
  });

  test('software that came with the device is the way back from the first update', async () => {
    const factory = join(folder, 'factory');
    await writeFile(factory, goodProgram('factory'));
    await start(configOf(folder, { factory }));
    await expectAlive('factory');
    const { digest } = performers!.running();
    expect(await install(await stage(folder, badProgram('bad')))).toMatchObject({ outcome: 'reverted' });
    await expectAlive('factory');
    expect(performers!.running().digest).toBe(digest);
  });

  test('a program that ignores SIGTERM, and its children, are killed', async () => {
    await start(configOf(folder, { stopSeconds: 0.3 }));
    await install(await stage(folder, stubbornProgram('stubborn')));
    let names: string[] = [];
    await until('the child is there', () => {
      void alive(folder).then((found) => (names = found));
      return names.includes('child');
    });
    await install(await stage(folder, goodProgram('two')));
    await expectAlive('two');
  });

  test('an archive with a command', async () => {
    const config = configOf(folder, { command: ['/bin/sh', '{slot}/run'] });
    await start(config);
    const body = goodProgram('packed');
    const tar = await packTar([{ header: { name: 'run', size: body.length, type: 'file' }, body }]);
    expect(await install(await stage(folder, tar))).toEqual({ outcome: 'active' });
    await expectAlive('packed');
    await restart(config);
    await expectAlive('packed');
  });

  test('an archive without a command says what is missing', async () => {
    await start();
    const tar = await packTar([{ header: { name: 'run', size: 0, type: 'file' } }]);
    expect(await install(await stage(folder, tar))).toEqual({
      outcome: 'reverted',
      reason: 'it is an archive, and the device has no command to start what is in it',
    });
  });

  test('a deferral changes nothing, and the server may ask again (P 10.11)', async () => {
    let deferral: Deferral | undefined = { reason: 'an operation is under way', until: 17 };
    await start({}, { defer: () => Promise.resolve(deferral) });
    const one = await stage(folder, goodProgram('one'));
    expect(await install(one, 'same')).toEqual({ outcome: 'deferred', ...deferral });
    expect(await started(folder)).toEqual([]);
    deferral = undefined;
    expect(await install(one, 'same')).toEqual({ outcome: 'active' });
    // A deferral comes before a switch, never after it.
    deferral = { reason: 'too late' };
    expect(await install(one, 'same')).toEqual({ outcome: 'active' });
  });

  test('conditions of the owner defer it, and their command says why and until when', async () => {
    const busy = join(folder, 'busy');
    await writeFile(busy, '');
    const script = `test ! -e ${busy} || { echo 'a patient is on it'; echo retry-after=600; exit 1; }`;
    const config = configOf(folder, {
      preconditions: [{ freeMiB: 1 }, { command: ['/bin/sh', '-c', script] }],
    });
    await start(config);
    const one = await stage(folder, goodProgram('one'));
    const before = Date.now();
    const deferred = await install(one, 'same');
    expect(deferred).toMatchObject({ outcome: 'deferred', reason: 'a patient is on it' });
    expect(deferred.until).toBeGreaterThanOrEqual(before + 600_000);
    expect(deferred.until).toBeLessThanOrEqual(Date.now() + 600_000);
    await rm(busy);
    expect(await install(one, 'same')).toEqual({ outcome: 'active' });
    await expectAlive('one');
  });

  test('the owner defers it at the device, and ends the deferral', async () => {
    await start();
    const one = await stage(folder, goodProgram('one'));
    const word = { reason: 'trade fair', until: Date.now() + 60_000 };
    await deferUpdates(folder, word);
    expect(await install(one, 'same')).toEqual({ outcome: 'deferred', ...word });
    await deferUpdates(folder, undefined);
    expect(await install(one, 'same')).toEqual({ outcome: 'active' });
  });

  test('an interrupted switch is finished, whatever the conditions say meanwhile', async () => {
    const one = await stage(folder, goodProgram('one'));
    const token = 'cut';
    const child = spawn(process.execPath, [CHILD, folder, one, token, 'switched'], { stdio: 'inherit' });
    await once(child, 'exit');
    await start(configOf(folder, { preconditions: [{ command: ['/bin/false'] }] }));
    expect(await install(one, token)).toEqual({ outcome: 'active' });
  });

  test('beside what runs, as many ways back are kept as configured, and as many others (P 10.4)', async () => {
    await start(configOf(folder, { keep: 1 }));
    const digests: string[] = [];
    for (const name of ['one', 'two', 'three', 'four', 'five']) {
      digests.push(await stage(folder, goodProgram(name)));
      await install(digests.at(-1)!);
    }
    const kept = await readdir(join(folder, 'software', 'slots'));
    expect(kept.length).toBe(3);
    expect(kept).toEqual(expect.arrayContaining(digests.slice(3)));
  });
});

describe('attacks and failures', () => {
  test('swapped between RESPONSE and ACTIVATE: not started, and the old software never stops (threat 14)', async () => {
    await start();
    const good = await stage(folder, goodProgram('good'));
    await install(good);
    const { pid } = performers!.running();
    const evil = join(folder, 'evil');
    await writeFile(evil, goodProgram('evil'), { mode: 0o700 });
    const swaps: ((artifact: string) => Promise<void>)[] = [
      (artifact) => writeFile(artifact, goodProgram('evil')),
      async (artifact) => {
        await rm(artifact);
        await symlink(evil, artifact);
      },
      (artifact) => rm(artifact),
    ];
    for (const [at, swap] of swaps.entries()) {
      const next = await stage(folder, goodProgram('next'));
      await swap(join(folder, 'software', 'slots', next, 'artifact'));
      expect(await install(next, `swap-${at}`)).toMatchObject({ outcome: 'reverted' });
    }
    expect(performers!.running().pid).toBe(pid);
    expect((await started(folder)).map(({ name }) => name)).toEqual(['good']);
  });

  test('a digest that is not held', async () => {
    await start();
    expect(await install('a'.repeat(64))).toEqual({
      outcome: 'reverted',
      reason: 'its file is not on this device',
    });
  });

  test('the good software was damaged: the newest former one runs', async () => {
    await start();
    const one = await stage(folder, goodProgram('one'));
    await install(one);
    const two = await stage(folder, goodProgram('two'));
    await install(two);
    await performers!.stop();
    await writeFile(join(folder, 'software', 'slots', two, 'artifact'), 'damaged');
    await start();
    await expectAlive('one');
    expect(performers!.running().digest).toBe(one);
  });

  test('a damaged record: nothing runs, but the agent starts and takes software', async () => {
    await start();
    await install(await stage(folder, goodProgram('one')));
    await performers!.stop();
    await writeFile(join(folder, 'software', 'current.json'), '{"good":');
    await start();
    expect(performers!.running()).toEqual({ program: 'none', restarts: 0 });
    expect(await install(await stage(folder, goodProgram('two')))).toEqual({ outcome: 'active' });
  });

  test('stopped in the middle of a trial, it rejects, and the next start goes on', async () => {
    const steps: InstallStep[] = [];
    const controller = new AbortController();
    await start({ health: { aliveSeconds: 600 } }, { onStep: (step) => void steps.push(step) });
    const one = await stage(folder, goodProgram('one'));
    const installed = performers!.install({ do: 'install', digest: one, token: 'same' }, controller.signal);
    await until('the program is on trial', () => steps.includes('launched'));
    controller.abort(new Error('the agent stops'));
    await expect(installed).rejects.toThrow('the agent stops');
    await restart();
    expect(await install(one, 'same')).toEqual({ outcome: 'active' });
    expect(performers!.running().digest).toBe(one);
  });

  test('software that takes the agent down with it gets three trials, not more', async () => {
    const good = join(folder, 'good');
    await writeFile(good, goodProgram('good'));
    await start(configOf(folder, { factory: good }));
    await performers!.stop();
    const deadly = await stage(folder, goodProgram('deadly'));
    for (let time = 0; time < 3; time++) await runChild(deadly, 'same', 'launched');
    await start();
    expect(await install(deadly, 'same')).toEqual({
      outcome: 'reverted',
      reason: 'the agent was ended during every trial',
    });
    await expectAlive('good');
  });
});

/** Installs in a process of its own, which is killed when the step is done. */
async function runChild(digest: string, token: string, step: InstallStep): Promise<void> {
  const child = spawn(process.execPath, [CHILD, folder, digest, token, step], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  expect({ step, code, signal }).toEqual({ step, code: null, signal: 'SIGKILL' });
}

describe('the agent is killed, without warning, after a step', () => {
  const SUCCESS: InstallStep[] = [
    'prepared',
    'halted',
    'switched',
    'launched',
    'judged',
    'committed',
    'collected',
  ];
  const FAILURE: InstallStep[] = [
    ...SUCCESS.slice(0, 5),
    ...(['condemned', 'withdrawn', 'restored', 'reverted', 'collected'] as const),
  ];

  async function beginWithGood(): Promise<string> {
    const factory = join(folder, 'factory');
    await writeFile(factory, goodProgram('old'));
    await start(configOf(folder, { factory }));
    const { digest } = performers!.running();
    await performers!.stop();
    return digest!;
  }

  test.each(SUCCESS)('good software, %s: the same token ends with it active', async (step) => {
    await beginWithGood();
    const next = await stage(folder, goodProgram('new'));
    await runChild(next, 'same', step);
    await start();
    expect(await install(next, 'same')).toEqual({ outcome: 'active' });
    expect(performers!.running()).toMatchObject({ digest: next, program: 'running' });
    await expectAlive('new');
    await restart();
    expect(await install(next, 'same')).toEqual({ outcome: 'active' });
    await expectAlive('new');
    const names = (await started(folder)).map(({ name }) => name);
    // Never to and fro: once the new one was chosen, the old one does not come back.
    expect(names.lastIndexOf('old')).toBeLessThan(names.indexOf('new'));
  });

  test.each(FAILURE)('failing software, %s: the same token ends with the old one running', async (step) => {
    const old = await beginWithGood();
    const next = await stage(folder, badProgram('new'));
    await runChild(next, 'same', step);
    await start();
    expect(await install(next, 'same')).toEqual({
      outcome: 'reverted',
      reason: 'the program ended: exit code 3',
    });
    expect(performers!.running()).toMatchObject({ digest: old, program: 'running' });
    await expectAlive('old');
    await restart();
    expect(await install(next, 'same')).toMatchObject({ outcome: 'reverted' });
    const record: unknown = JSON.parse(await readFile(join(folder, 'software', 'current.json'), 'utf8'));
    expect(record).toMatchObject({ good: old });
    expect(record).not.toHaveProperty('trial');
  });
});
