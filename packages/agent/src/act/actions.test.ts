import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@srup/node';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { until } from '@srup/node/testing';
import { alive, configOf, goodProgram, stage } from '../../test/programs.ts';
import { newFolder, removeFolders, surroundingsAt, type TestSurroundings } from '../../test/surroundings.ts';
import type { AgentConfigInput } from '../config/config.ts';
import type { Acted, Performers } from '../engine/performers.ts';
import { createPerformers, type PerformerExtras } from '../performers/performers.ts';
import { type ActionPorts, type ActionTable, createActionTable, doAction } from './actions.ts';
import { testSelf } from './self-test.ts';

const never = new AbortController().signal;
let folder: string;
let performers: Performers;
let surroundings: TestSurroundings;
let actions: ActionTable;
/** What was owed and begun of an erasure. */
let erasing: string[];
let isDiskFull: boolean;

beforeEach(async () => {
  folder = await newFolder();
  actions = createActionTable();
  erasing = [];
  isDiskFull = false;
});
afterEach(async () => {
  vi.useRealTimers();
  await performers.stop();
  await removeFolders();
});

async function start(config: AgentConfigInput['actions'] = {}, extras: PerformerExtras = {}): Promise<void> {
  const oweErasure = () => {
    erasing.push('owed');
    return isDiskFull ? Promise.reject(new Error('ENOSPC')) : Promise.resolve();
  };
  const beginErasure = () => void erasing.push('begun');
  surroundings = surroundingsAt(
    folder,
    { ...configOf(folder), actions: config },
    { oweErasure, beginErasure },
  );
  performers = createPerformers(surroundings, { actions, ...extras });
  await performers.start();
}

const act = (actionId: number, signal = never): Promise<Acted> =>
  performers.act({ do: 'act', token: 'token', actionId }, signal);
const shell = (script: string): string[] => ['/bin/sh', '-c', script];
const work = (name: string) => join(folder, 'software', 'work', name);

describe('the table', () => {
  test('an id that nobody handles is unknown (P 10.5)', async () => {
    await start();
    for (const id of [0x00, 0x01, 0x04, 0x06, 0x3f, 0x40, 0xff])
      expect(await act(id)).toEqual({ outcome: 'unknown' });
  });

  test('a command does it, or fails', async () => {
    await start({ commands: { '01': shell('touch low'), '07': shell('exit 1'), ff: ['/no/such/program'] } });
    expect(await act(0x01)).toEqual({ outcome: 'done' });
    expect(await readdir(work('.'))).toEqual(['low']);
    expect(await act(0x07)).toEqual({ outcome: 'failed' });
    expect(await act(0xff)).toEqual({ outcome: 'failed' });
  });

  test('a command that takes too long fails', async () => {
    await start({ commands: { '01': ['/bin/sleep', '100'] }, timeoutSeconds: 0.2 });
    expect(await act(0x01)).toEqual({ outcome: 'failed' });
  });

  test('a handler of the program around the agent comes first', async () => {
    await start({ commands: { '40': shell('touch command') } });
    let calls = 0;
    actions.on(0x40, () => void (calls += 1));
    expect(await act(0x40)).toEqual({ outcome: 'done' });
    actions.on(0x41, () => Promise.reject(new Error('no')));
    expect(await act(0x41)).toEqual({ outcome: 'failed' });
    actions.on(0x42, () => {
      throw new Error('no');
    });
    expect(await act(0x42)).toEqual({ outcome: 'failed' });
    expect(calls).toBe(1);
    expect(await readdir(work('.'))).toEqual([]);
    expect(() => {
      actions.on(256, () => undefined);
    }).toThrow(RangeError);
  });

  test('a handler that never ends is given up, and one is told when the agent stops', async () => {
    await start({ timeoutSeconds: 0.1 });
    actions.on(0x40, () => new Promise(() => undefined));
    expect(await act(0x40)).toEqual({ outcome: 'failed' });
    const controller = new AbortController();
    const acting = act(0x40, controller.signal);
    controller.abort(new Error('stopping'));
    await expect(acting).rejects.toThrow('stopping');
  });
});

describe('dangerous and last actions (P 10.5)', () => {
  test('are refused unless this device allows them, whoever handles them', async () => {
    await start({ commands: { '03': shell('touch off'), '09': shell('touch gone') } });
    actions.on(0x03, () => undefined);
    expect(await act(0x03)).toEqual({ outcome: 'failed' });
    expect(await act(0x09)).toEqual({ outcome: 'failed' });
    expect(await readdir(work('.'))).toEqual([]);
    expect(erasing).toEqual([]);
  });

  test('a command that can not power off or reboot has failed', async () => {
    await start({ commands: { '03': shell('exit 1'), '04': shell('exit 1') }, allow: ['03'] });
    expect(await act(0x03)).toEqual({ outcome: 'failed' });
    expect(await act(0x04)).toEqual({ outcome: 'failed' });
  });

  test('power off is answered when its command has done its part: there may be no time later', async () => {
    await start({ commands: { '03': shell('touch off') }, allow: ['03'] });
    expect(await act(0x03)).toEqual({ outcome: 'done' });
    expect(await readdir(work('.'))).toContain('off');
  });

  test('a reboot is not answered before it: the agent ends with it', async () => {
    await start({ commands: { '04': shell('touch again') } });
    const goingDown = new AbortController();
    const acting = act(0x04, goingDown.signal);
    const waits = () => surroundings.lines.some(({ text }) => text.startsWith('waiting for the restart'));
    await until('the command has run', waits);
    expect(await readdir(work('.'))).toContain('again');
    goingDown.abort(new Error('the agent stops'));
    await expect(acting).rejects.toThrow('the agent stops');
  });

  test('a reboot that does not come has failed', async () => {
    await start();
    const handlers = createActionTable();
    handlers.on(0x04, () => undefined);
    const { oweErasure, beginErasure, log } = surroundings;
    const run = () => Promise.reject(new Error('not asked'));
    const ports: ActionPorts = {
      ...{ handlers, commands: {}, allow: [], timeoutMs: 1000, restartMs: 20 },
      ...{ run, selfTest: run, oweErasure, beginErasure, log },
    };
    expect(await doAction(0x04, ports, never)).toEqual({ outcome: 'failed' });
  });

  test('allowed, but nobody knows how', async () => {
    await start({ allow: ['03'] });
    expect(await act(0x03)).toEqual({ outcome: 'unknown' });
  });

  test('self-destruction is owed before the answer, and begins after it', async () => {
    await start({ allow: ['09'] });
    const { outcome, afterwards } = await act(0x09);
    expect({ outcome, erasing }).toEqual({ outcome: 'done', erasing: ['owed'] });
    await afterwards!();
    expect(erasing).toEqual(['owed', 'begun']);
  });

  test('self-destruction that can not be written down is not promised', async () => {
    await start({ allow: ['09'] });
    isDiskFull = true;
    expect(await act(0x09)).toEqual({ outcome: 'failed' });
    expect(erasing).toEqual(['owed']);
  });

  test('erasing does the part of the device, which may fail, and leaves no software; then all begins anew', async () => {
    await start({ commands: { '09': shell('touch ../../own-part; exit 1') } });
    const digest = await stage(folder, goodProgram('doomed'));
    await performers.install({ do: 'install', digest, token: 'x' }, never);
    expect(await alive(folder)).toEqual(['doomed']);
    await performers.erase();
    expect(await alive(folder)).toEqual([]);
    expect((await readdir(folder)).sort()).toEqual(['own-part', 'trace']);
    expect(performers.running()).toEqual({ program: 'none', restarts: 0 });

    await performers.start();
    const next = await stage(folder, goodProgram('next'));
    expect(await performers.install({ do: 'install', digest: next, token: 'y' }, never)).toEqual({
      outcome: 'active',
    });
    actions.on(0x40, () => undefined);
    expect(await act(0x40)).toEqual({ outcome: 'done' });
  });
});

describe('self-test', () => {
  const clock = systemClock;
  const running = () => ({ program: 'running', restarts: 0 }) as const;

  test('finds nothing wrong on a healthy device', async () => {
    await start();
    expect(await act(0x05)).toEqual({ outcome: 'done' });
  });

  test('sees a folder that can not be written, a program that dies and a clock that is not set', async () => {
    await start();
    expect(await testSelf({ folder, running, clock })).toBeUndefined();
    expect(await testSelf({ folder: join(folder, 'none'), running, clock })).toContain("can't be written");
    const dying = () => ({ program: 'restarting', restarts: 3 }) as const;
    expect(await testSelf({ folder, running: dying, clock })).toBe('the program does not stay alive');
    for (const time of [0, Date.UTC(2099, 0, 1)]) {
      vi.setSystemTime(time); // the real clock, on a system with another time
      expect(await testSelf({ folder, running, clock })).toBe('the clock is not set');
    }
  });

  test('fails on a device whose program dies again and again', async () => {
    const factory = join(folder, 'factory');
    await writeFile(factory, '#!/bin/sh\nexit 1\n');
    performers = createPerformers(
      surroundingsAt(folder, configOf(folder, { factory, restart: { leastSeconds: 60 } })),
    );
    await performers.start();
    await until('the program died', () => performers.running().program === 'restarting');
    expect(await act(0x05)).toEqual({ outcome: 'failed' });
  });
});
