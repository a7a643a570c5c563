import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newFolder, removeFolders } from '../../test/surroundings.ts';
import { ConfigError, parseConfig } from '../config/config.ts';
import { homeAt } from '../ground/home.ts';
import { askCommand } from '../program/command.ts';
import { oneLine, readDeferral } from './deferral.ts';
import { findDeferral } from './preconditions.ts';
import { MAX_DEFERRAL_MS, deferUpdates, readOwnerDeferral } from './owner.ts';

const NOW = Date.UTC(2026, 10, 21);
const never = new AbortController().signal;

let folder: string;
beforeEach(async () => {
  folder = await newFolder();
});
afterEach(removeFolders);

type Condition = Record<string, unknown>;

const configOf = (preconditions: readonly Condition[]) =>
  parseConfig({ url: 'https://localhost', type: 'a', software: { preconditions } }, 'test').software;

function judge(...conditions: readonly Condition[]) {
  const ports = {
    ask: (argv: readonly string[], timeoutMs: number, signal: AbortSignal) =>
      askCommand(argv, { timeoutMs, signal, cwd: folder, env: {} }),
    now: () => NOW,
    folder,
    supplies: join(folder, 'supplies'),
  };
  return findDeferral(configOf(conditions).preconditions, ports, never);
}

const shell = (script: string): Condition => ({ command: ['/bin/sh', '-c', script] });

describe('a command', () => {
  test('says yes with exit code 0, and otherwise why and until when', async () => {
    expect(await judge(shell('exit 0'))).toBeUndefined();
    expect(await judge(shell('echo; echo busy; echo more; echo retry-after=120; exit 9'))).toEqual({
      reason: 'busy',
      until: NOW + 120_000,
    });
    expect(await judge(shell('echo until=2026-12-24T18:00:00Z; echo feast >&2; exit 1'))).toEqual({
      reason: 'feast',
      until: Date.UTC(2026, 11, 24, 18),
    });
    expect(await judge({ ...shell('exit 3'), retrySeconds: 60 })).toEqual({
      reason: '/bin/sh: exit code 3',
      until: NOW + 60_000,
    });
    expect(await judge({ ...shell('echo no; exit 3'), reason: 'not while driving' })).toMatchObject({
      reason: 'not while driving',
    });
  });

  test('that hangs or is not there defers the switch, and the first deferral counts', async () => {
    expect(await judge({ ...shell('sleep 100'), timeoutSeconds: 0.1 })).toMatchObject({
      reason: '/bin/sh: no end after 0.1 s',
    });
    expect(await judge({ command: ['/no/such'] }, shell('echo second; exit 1'))).toMatchObject({
      reason: expect.stringMatching(/^\/no\/such: it can't be started/) as string,
    });
  });

  test('can not steer a terminal, nor flood', () => {
    expect(oneLine('\u001b[2Jgone\u202e\tx\n')).toBe('[2Jgone x');
    expect(oneLine('\u{1f980}'.repeat(500))).toBe('\u{1f980}'.repeat(200));
    const said = { output: 'until=never\nretry-after=-5', complaint: '' };
    expect(readDeferral(said, 'why', NOW)).toEqual({ reason: 'until=never' });
  });
});

test('free space is that of the disk, and none is known of no path', async () => {
  expect(await judge({ freeMiB: 1 })).toBeUndefined();
  expect(await judge({ freeMiB: 2 ** 40 })).toMatchObject({
    reason: expect.stringMatching(/^\d+ MiB are free at .*, and 1099511627776 are wanted$/) as string,
  });
  expect(await judge({ freeMiB: 1, path: '/no/such' })).toMatchObject({
    reason: expect.stringContaining('not known') as string,
  });
});

describe('a battery', () => {
  const supply = async (name: string, files: Record<string, string>) => {
    await mkdir(join(folder, 'supplies', name), { recursive: true });
    for (const [file, text] of Object.entries(files))
      await writeFile(join(folder, 'supplies', name, file), `${text}\n`);
  };
  const battery = (capacity: string) => supply('BAT0', { type: 'Battery', capacity });

  test('needs its charge, except with mains power', async () => {
    expect(await judge({ batteryPercent: 50 })).toBeUndefined(); // none at all
    await battery('50');
    expect(await judge({ batteryPercent: 50 })).toBeUndefined();
    await battery('49');
    expect(await judge({ batteryPercent: 50 })).toMatchObject({
      reason: 'the battery has 49 %, and 50 % or mains power is wanted',
    });
    await supply('AC', { type: 'Mains', online: '0' });
    expect(await judge({ batteryPercent: 50 })).toBeDefined();
    await supply('AC', { type: 'Mains', online: '1' });
    expect(await judge({ batteryPercent: 50 })).toBeUndefined();
  });

  test('of a mouse is not that of the device; one that tells nothing is not full', async () => {
    await supply('hid', { type: 'Battery', scope: 'Device', capacity: '100' });
    await supply('BAT0', { type: 'Battery' });
    expect(await judge({ batteryPercent: 1 })).toMatchObject({
      reason: 'the charge of the battery is not known',
    });
  });
});

test('a condition that asks for nothing, or for two things, is a mistake of the configuration', () => {
  for (const condition of [{}, { freeMiB: 1, batteryPercent: 1 }, { freeMiB: 1, retrySeconds: 1 }])
    expect(() => configOf([condition])).toThrow(ConfigError);
});

test("the owner's word holds until its time, and not for a clock that lost its own", async () => {
  const home = homeAt(folder);
  const until = NOW + 3_600_000;
  await deferUpdates(folder, { reason: 'fair\n', until });
  expect(await readOwnerDeferral(home, NOW)).toEqual({ reason: 'fair', until });
  expect(await readOwnerDeferral(home, until)).toBeUndefined();
  expect(await readOwnerDeferral(home, until - MAX_DEFERRAL_MS - 1)).toBeUndefined();
  await writeFile(home.deferral, '{');
  expect(await readOwnerDeferral(home, NOW)).toBeUndefined();
});
