// Action 09 (P 10.5): what was promised is done, whenever the power is cut.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { alive, configOf, goodProgram } from '../test/programs.ts';
import { newFolder, removeFolders } from '../test/surroundings.ts';
import { makeWorld, type World } from '../test/world.ts';
import type { AgentConfigInput } from './config/config.ts';
import { askAgent } from './control/control.ts';
import { homeAt } from './ground/home.ts';
import type { AgentStatus } from './control/status.ts';

const CHILD = fileURLToPath(new URL('../test/erasure-child.ts', import.meta.url));
const PATIENCE = { timeout: 20_000, interval: 20 };

let world: World;
let folder: string;
let child: ChildProcess;
beforeEach(async () => {
  world = await makeWorld();
  folder = await newFolder();
});
afterEach(async () => {
  child.kill('SIGKILL');
  await world.close();
  await removeFolders();
});

async function launch(deadlyStep = ''): Promise<void> {
  const factory = join(folder, 'factory');
  await writeFile(factory, goodProgram('factory'));
  const config: AgentConfigInput = {
    ...{ url: world.service.url, caFingerprint: world.broker.ca.fingerprint, type: 'demo' },
    ...configOf(folder, { factory }),
    actions: { allow: ['09'] },
  };
  child = spawn(process.execPath, [CHILD, world.home, JSON.stringify(config), deadlyStep], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

const ask = async (what: 'status' | 'join') =>
  (await askAgent(homeAt(world.home).socket, what).catch(() => undefined))?.value as AgentStatus | undefined;

async function untilPhase(wanted: AgentStatus['phase']): Promise<void> {
  await expect.poll(async () => (await ask('status'))?.phase, PATIENCE).toBe(wanted);
}

async function letIn(): Promise<void> {
  await world.meet();
  await world.c2.accept();
  await untilPhase('joined');
}

test.each([
  { killed: undefined, answers: 1 },
  { killed: 'owed', answers: 0 },
  { killed: 'answered', answers: 1 },
  { killed: 'identity forgotten', answers: 1 },
])(
  'killed when: $killed: nothing is left; told to join, the device is another one that obeys',
  { timeout: 60_000 },
  async ({ killed, answers }) => {
    const { c2, home } = world;
    await launch(killed);
    await letIn();
    await expect.poll(() => alive(folder), PATIENCE).toEqual(['factory']);
    const { id } = (await ask('status'))!;

    const token = await c2.say('ACTION', { actionId: 9 });
    if (killed !== undefined) {
      expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
      await launch();
    }
    await untilPhase('unregistered');
    const left = (await readdir(home)).filter((name) => !name.startsWith('.lock'));
    expect(left.sort()).toEqual(['agent.sock', 'left.json']);
    expect(await alive(folder)).toEqual([]);
    // Without an answer the server knows nothing; with one it knows the truth.
    // The broker has the answer by now; the server may still have to hear it.
    const said = () =>
      c2.heard
        .filter((one) => one.token === token && one.message.type === 'RESPONSE')
        .map(({ message }) => message.body);
    await expect.poll(said, PATIENCE).toEqual(Array(answers).fill({ status: 0x20 }));

    await ask('join');
    await expect.poll(async () => (await ask('status'))?.id ?? id, PATIENCE).not.toBe(id);
    await letIn();
    await expect.poll(() => alive(folder), PATIENCE).toEqual(['factory']);
    const next = await c2.say('ACTION', { actionId: 0x40 });
    expect((await c2.hear('RESPONSE', next)).message.body.status).toBe(0x20);
  },
);
