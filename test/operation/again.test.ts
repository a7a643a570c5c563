/** A device whose identity has ended: its program runs on, and it comes back as another device when it can. */
import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { AgentStatus } from '@srup/agent';
import { databaseKind } from '../../packages/server/test/database.ts';
import { startDevice, TYPE, untilJoined, type Device } from '../support/device.ts';
import { test } from '../support/fixtures.ts';
import { runSrup } from '../support/processes.ts';
import { runsPrograms, writeProgram } from '../support/programs.ts';
import { startSite, type Ground, type Site } from '../support/server.ts';
import { until } from '../support/wait.ts';

let ground: Ground;
/** With the default settings: a device needs an enrolment code to register. */
let site: Site;

test.beforeAll(async ({ makeGround }) => {
  ground = await makeGround();
  site = await startSite(ground);
});

interface Subject {
  readonly device: Device;
  /** The first of its identities. */
  readonly id: string;
  /** Process ids of its program so far; if there is only one, the program was never stopped. */
  readonly starts: () => Promise<string[]>;
  readonly agent: (...args: string[]) => ReturnType<typeof runSrup>;
  readonly status: () => Promise<Partial<AgentStatus>>;
}

async function joined(name: string, rejoin: 'yes' | 'no' = 'no'): Promise<Subject> {
  const diary = join(ground.folder, `${name}-starts`);
  const note = `import { appendFileSync } from 'node:fs'; appendFileSync('${diary}', process.pid + '\\n');`;
  const program = await writeProgram(ground, name, note);
  const device = await startDevice(ground, site, name, { software: runsPrograms(program), rejoin });
  const { id } = await untilJoined(site, device);
  const agent: Subject['agent'] = (...args) => runSrup(['agent', ...args, '--home', device.home]);
  return {
    ...{ device, id, agent },
    starts: async () => (await readFile(diary, 'utf8')).trim().split('\n'),
    status: async () => JSON.parse((await agent('status', '--json')).stdout) as Partial<AgentStatus>,
  };
}

async function newCode(): Promise<string> {
  const { secret } = await site.api((api) =>
    api.send<{ secret: string }>('POST', '/enrolment-codes', { type: TYPE, uses: 1 }),
  );
  return secret;
}

/** Expects that it joins as another device with a valid code, and obeys. */
async function expectBack({ device, agent }: Subject): Promise<string> {
  const before = await readFile(join(device.home, 'identity.json'), 'utf8').catch(() => '');
  const back = await agent('join', '--enrolment-code', await newCode());
  expect(back, back.stderr + device.process.stderr()).toMatchObject({ code: 0, stderr: '' });
  const { id } = await untilJoined(site, device);
  expect(back.stdout).toContain(`has registered as ${id}`);
  expect(before).not.toContain(id);
  expect(await readFile(join(device.home, 'agent.json'), 'utf8')).not.toContain('enrolmentCode');
  expect((await site.ctl('action', id, 'self-test', '--wait')).code).toBe(0);
  return id;
}

/** Expects that a join without a code is refused and reported, and changes nothing. */
async function expectRefused({ agent, status }: Subject): Promise<void> {
  const refused = await agent('join');
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toMatch(/could not register.*enrolment code[^]*--enrolment-code/);
  expect(await status()).toMatchObject({
    running: true,
    phase: 'unregistered',
    software: { program: 'running' },
  });
}

test('deregistered by the server, with --rejoin and without a code: it runs on, also after a restart', async () => {
  const subject = await joined('dismissed', 'yes');
  const { device, id, status, starts } = subject;
  const told = await site.ctl('deregister', id, '--yes', '--wait');
  expect(told, told.stderr).toMatchObject({ code: 0 });
  await until('it says why it is not registered', async () => (await status()).trouble);
  await expectRefused(subject);
  expect(await starts()).toHaveLength(1);

  await device.process.stop();
  device.restart();
  await until('it says so again', async () => (await status()).trouble);
  await expectRefused(subject);
  await expectBack(subject);
  expect(await starts()).toHaveLength(2);
});

test('revoked: told to join it comes back as another one; told to deregister it forgets the dead identity', async () => {
  const subject = await joined('revoked');
  const { agent, status, starts } = subject;
  expect((await site.ctl('revoke', subject.id, '--yes')).code).toBe(0);
  await expectRefused(subject);
  const examined = await runSrup(['doctor', 'agent', '--home', subject.device.home]);
  expect(examined.stdout).toMatch(/could not register[^]*srup agent join/);
  const second = await expectBack(subject);

  expect((await site.ctl('revoke', second, '--yes')).code).toBe(0);
  const left = await agent('deregister', '--yes');
  expect(left, left.stderr).toMatchObject({ code: 0 });
  expect(left.stdout).toContain('had already ended this identity');
  expect(await status()).toMatchObject({ phase: 'unregistered' });
  await expectBack(subject);
  expect(await starts()).toHaveLength(1);
});

// A copy of the folder sets back what is in it: the database too, where that is a file.
if (databaseKind() === 'sqlite') {
  test('unknown to a server that was set back: told to join it comes back as another one', async () => {
    const [folder, older] = [join(ground.folder, 'server'), join(ground.folder, 'older')];
    await site.process.stop();
    await cp(folder, older, { recursive: true });
    site = await startSite(ground, site.sameAgain);
    const subject = await joined('younger');
    await site.process.stop();
    await rm(folder, { recursive: true });
    await cp(older, folder, { recursive: true });
    site = await startSite(ground, site.sameAgain);
    await expectBack(subject);
    expect(await subject.starts()).toHaveLength(1);
  });
}
