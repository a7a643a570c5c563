import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '@srup/node/testing';
import { makeMachine, type Machine } from '../../test/machine.ts';
import { stage } from '../../test/programs.ts';
import { newFolder, removeFolders, surroundingsAt, type TestSurroundings } from '../../test/surroundings.ts';
import type { Installed, Performers } from '../engine/performers.ts';
import { parseConfig } from '../config/config.ts';
import { createPerformers } from '../performers/performers.ts';

const never = new AbortController().signal;
const CHILD = fileURLToPath(new URL('../../test/switch-child.ts', import.meta.url));

let folder: string;
let machine: Machine;
let performers: Performers | undefined;
let surroundings: TestSurroundings;
let one: string;
let two: string;

beforeEach(async () => {
  folder = await newFolder();
  machine = await makeMachine(folder);
  one = await stage(folder, 'image one');
  two = await stage(folder, 'image two');
});
afterEach(async () => {
  await performers?.stop();
  performers = undefined;
  await removeFolders();
});

async function start(): Promise<void> {
  const { config, bootId } = machine;
  surroundings = surroundingsAt(folder, config, { bootId });
  performers = createPerformers(surroundings);
  await performers.start();
}

const install = (digest: string, token = `token ${digest}`): Promise<Installed> =>
  performers!.install({ do: 'install', digest, token }, never);

/** Until the agent waits for the restart; then the device restarts, and the agent is asked again. */
async function installOverRestart(digest: string, boots?: boolean): Promise<Installed> {
  const cut = expect(install(digest)).rejects.toThrow('the agent stops');
  await untilRestart();
  await performers!.stop();
  await cut;
  await machine.restart(boots);
  await start();
  return install(digest);
}

const untilRestart = () =>
  until('the device is to restart', () =>
    surroundings.lines.some(({ text }) => text === 'waiting for the restart of the device'),
  );

describe('a switch without a restart', () => {
  test('is installed, activated, proven and confirmed, and goes back the same way', async () => {
    await start();
    expect(performers!.running().digest).toBeUndefined(); // "factory" is not the digest of an artifact
    expect(await install(one)).toEqual({ outcome: 'active' });
    expect(await machine.steps()).toEqual(['install', 'activate', 'confirm']);
    expect(performers!.running()).toEqual({ program: 'none', restarts: 0, digest: one });
    await install(two);
    expect(await machine.runs()).toBe(two);
    expect(await install(one, 'back')).toEqual({ outcome: 'active' });
    expect(await machine.runs()).toBe(one);
    await machine.steps();
    expect(await install(one, 'again')).toEqual({ outcome: 'active' });
    expect(await machine.steps()).toEqual(['confirm']);
  });

  test('that is not healthy is taken back', async () => {
    await start();
    await machine.set('sick');
    expect(await install(one)).toEqual({ outcome: 'reverted', reason: 'health command: exit code 1' });
    expect(await machine.steps()).toEqual(['install', 'activate', 'revert']);
    expect(await machine.runs()).toBe('factory');
    expect(performers!.running().digest).toBeUndefined();
  });

  test.each(['install', 'activate', 'confirm'])(
    'whose step %s fails leaves the old software running, and says why',
    async (step) => {
      await start();
      await install(one);
      await machine.set(`fail-${step}`, 'no space left on device');
      expect(await install(two)).toEqual({
        outcome: 'reverted',
        reason: `the installer's step ${step} failed: no space left on device`,
      });
      expect(await machine.runs()).toBe(one);
      expect(performers!.running().digest).toBe(one);
    },
  );

  test('that only the installer claims does not count', async () => {
    await start();
    await install(one);
    await machine.set('stuck');
    expect(await install(two)).toMatchObject({
      outcome: 'reverted',
      reason: 'the installer activated it, and yet it is not what runs',
    });
    expect(performers!.running().digest).toBe(one);
  });

  test.each(['install', 'activate', 'confirm'])(
    'can be deferred in its step %s, and goes on later',
    async (step) => {
      await start();
      await machine.set(`later-${step}`, 'the line is busy\nretry-after=120');
      for (let times = 0; times < 5; times++) {
        const deferred = await install(one);
        expect(deferred).toMatchObject({ outcome: 'deferred', reason: 'the line is busy' });
        expect(deferred.until).toBeGreaterThan(Date.now() + 60_000);
      }
      await machine.unset(`later-${step}`);
      expect(await install(one)).toEqual({ outcome: 'active' });
    },
  );
});

describe('the truth', () => {
  test('a way back that fails is not called one', async () => {
    await start();
    await install(one);
    await machine.set('sick');
    await machine.set('fail-revert', 'flash is worn out');
    expect(await install(two)).toMatchObject({
      outcome: 'deferred',
      reason: expect.stringContaining('flash is worn out') as string,
    });
    expect(performers!.running().digest).toBe(two);
    // Another order doesn't overtake it.
    expect(await install(one, 'other')).toMatchObject({ outcome: 'deferred' });
    await machine.unset('fail-revert');
    expect(await install(two)).toMatchObject({ outcome: 'reverted' });
    expect(performers!.running().digest).toBe(one);
  });

  test('nor is one after which nobody can tell what runs', async () => {
    await start();
    await install(one);
    await machine.set('sick');
    await machine.set('fail-running');
    expect(await install(two)).toMatchObject({ outcome: 'deferred' });
    expect(performers!.running().digest).toBeUndefined();
    await machine.unset('fail-running');
    expect(await install(two)).toMatchObject({ outcome: 'reverted' });
    expect(performers!.running().digest).toBe(one);
  });

  test('what the device fell back to while the agent was away is what it says', async () => {
    await start();
    await install(one);
    await install(two);
    await performers!.stop();
    await machine.set('booted', 'b'); // the slot of "one"
    await start();
    expect(performers!.running().digest).toBe(one);
    expect(await install(two, 'again')).toEqual({ outcome: 'active' });
    expect(await machine.runs()).toBe(two);
  });
});

describe('a switch by a restart', () => {
  beforeEach(async () => {
    await start();
    await install(one);
    await machine.set('reboots');
    await machine.steps();
  });

  test('is answered after it, when the new software is proven to run', async () => {
    expect(await installOverRestart(two)).toEqual({ outcome: 'active' });
    expect(await machine.steps()).toEqual(['install', 'activate', 'restart', 'confirm']);
    expect(performers!.running().digest).toBe(two);
  });

  test('is not claimed before it', async () => {
    void install(two).catch(() => undefined);
    await untilRestart();
    expect(performers!.running().digest).toBe(one);
  });

  test('is taken up by itself, also when nobody asks', async () => {
    void install(two).catch(() => undefined);
    await untilRestart();
    await performers!.stop();
    await machine.restart();
    await start();
    await until('it is confirmed', () => performers!.running().digest === two);
    expect(await install(two)).toEqual({ outcome: 'active' });
  });

  test('to software that does not come up is reverted: the bootloader went back', async () => {
    expect(await installOverRestart(two, false)).toEqual({
      outcome: 'reverted',
      reason: `after its restart the device runs ${one}`,
    });
    expect(performers!.running().digest).toBe(one);
  });

  test('to software that is not healthy is taken back by another restart', async () => {
    const cut = expect(install(two)).rejects.toThrow('the agent stops');
    await untilRestart();
    await performers!.stop();
    await cut;
    await machine.restart();
    await machine.set('sick');
    await start();
    expect(await installOverRestart(two)).toEqual({
      outcome: 'reverted',
      reason: 'health command: exit code 1',
    });
    expect(await machine.runs()).toBe(one);
    expect(await machine.steps()).toEqual(['install', 'activate', 'restart', 'revert', 'restart']);
  });

  test('can be deferred, and is not begun anew then', async () => {
    await machine.set('later-restart', 'not before midnight\nuntil=2100-01-01T00:00:00Z');
    for (let times = 0; times < 5; times++) {
      expect(await install(two)).toEqual({
        outcome: 'deferred',
        reason: 'not before midnight',
        until: Date.UTC(2100, 0),
      });
    }
    expect(await machine.steps()).toEqual(['install', 'activate', ...Array<string>(5).fill('restart')]);
    expect(performers!.running().digest).toBe(one);
    // It restarts for a reason of its own.
    await performers!.stop();
    await machine.restart();
    await start();
    expect(await install(two)).toEqual({ outcome: 'active' });
  });

  test('goes on when only the agent was restarted', async () => {
    for (let times = 0; times < 4; times++) {
      void install(two).catch(() => undefined);
      await untilRestart();
      await performers!.stop();
      await start();
    }
    expect(await machine.runs()).toBe(one);
    expect(await installOverRestart(two)).toEqual({ outcome: 'active' });
  });
});

describe('the agent is killed', () => {
  /** In a process of its own, as the played device says. */
  async function killed(digest: string): Promise<void> {
    await performers?.stop();
    const child = spawn(
      process.execPath,
      [CHILD, folder, digest, `token ${digest}`, 'never', JSON.stringify(machine.config)],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const [, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    expect(signal).toBe('SIGKILL');
  }

  test.each(
    ['install', 'activate', 'confirm'].flatMap((step) => [
      ['before', step],
      ['after', step],
    ]),
  )('%s the step %s: the same token ends with it active', async (when, step) => {
    await start();
    await install(one);
    await machine.set(`kill-${when}-${step}`);
    await killed(two);
    await start();
    expect(await install(two)).toEqual({ outcome: 'active' });
    expect(await machine.runs()).toBe(two);
  });

  test.each(['before', 'after'])('%s the step revert: the old software runs', async (when) => {
    await start();
    await install(one);
    await machine.set('sick');
    await machine.set(`kill-${when}-revert`);
    await killed(two);
    await start();
    expect(await install(two)).toEqual({ outcome: 'reverted', reason: 'health command: exit code 1' });
    expect(await machine.runs()).toBe(one);
  });

  test('between "after a restart" and its note: the restart decides', async () => {
    await start();
    await install(one);
    await machine.set('reboots');
    await machine.set('kill-after-activate');
    await killed(two);
    await machine.restart();
    await start();
    expect(await install(two)).toEqual({ outcome: 'active' });
  });
});

test('the installer "command" needs a command', () => {
  const software = { installer: 'command' };
  expect(() => parseConfig({ url: 'https://localhost', type: 'a', software }, 'test')).toThrow(
    'software.command: needed by the installer "command"',
  );
});
