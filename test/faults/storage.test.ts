import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { test } from '../support/fixtures.ts';
import { startDevice, TYPE, untilJoined } from '../support/device.ts';
import { runSrup } from '../support/processes.ts';
import { startSite, type Ground } from '../support/server.ts';
import { until } from '../support/wait.ts';

const MINUTE = 60_000;
const ACTION = '40';

/** Lets another process lock the database until the returned function is called. */
async function lockDatabase(ground: Ground, file: string): Promise<() => Promise<void>> {
  const hold = `
    const { DatabaseSync } = require('node:sqlite');
    const database = new DatabaseSync(${JSON.stringify(file)}, { timeout: 60000 });
    database.exec('BEGIN IMMEDIATE');
    console.log('locked');
    process.stdin.once('data', () => { database.exec('ROLLBACK'); process.exit(0); });`;
  const holder = spawn(process.execPath, ['-e', hold], { stdio: ['pipe', 'pipe', 'inherit'] });
  ground.later(() => holder.kill());
  await once(holder.stdout, 'data');
  return async () => {
    holder.stdin.write('enough');
    await once(holder, 'close');
  };
}

test(
  'another process holds the database: an order is refused in words, and all goes on afterwards',
  { timeout: 3 * MINUTE },
  async ({ ground, site }) => {
    const effects = join(ground.folder, 'effects');
    const quick = join(ground.folder, 'quick');
    const seen = async () => (await readFile(effects, 'utf8').catch(() => '')).split('\n').filter(Boolean);
    const command: [string, ...string[]] = [
      '/bin/sh',
      '-c',
      `echo begun >> ${effects}; [ -e ${quick} ] || sleep 3; echo done >> ${effects}`,
    ];
    const device = await startDevice(ground, site, 'pump', { actions: { commands: { [ACTION]: command } } });
    const { id } = await untilJoined(site, device);
    const before = site.ctl('action', id, ACTION, '--wait');
    await until('it acts', async () => (await seen()).length === 1);
    // The device's answer comes while the database is locked, and so does another order.
    const release = await lockDatabase(ground, join(ground.folder, 'server', 'server', 'fleet.db'));
    const refused = await site.ctl('action', id, ACTION);
    await release();
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining('nothing was sent') as string });
    expect(await before).toMatchObject({ code: 0 });
    await writeFile(quick, '');
    const after = await site.ctl('action', id, ACTION, '--wait');
    expect(after, after.stdout + after.stderr).toMatchObject({ code: 0 });
    expect(await seen()).toEqual(['begun', 'done', 'begun', 'done']);
  },
);

function mountTmpfs(folder: string, options: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]).status === 0;
}

test('an agent with a read-only home says so, and ends', { timeout: MINUTE }, async ({ ground, skip }) => {
  const home = join(ground.folder, 'pump');
  await mkdir(home, { mode: 0o700 });
  if (!mountTmpfs(home, 'size=1m,mode=0700')) skip('needs to be root and to mount');
  ground.later(() => spawnSync('umount', [home]));
  const config = { url: 'https://localhost:1', caFingerprint: 'a'.repeat(64), type: TYPE };
  await writeFile(join(home, 'agent.json'), JSON.stringify(config), { mode: 0o600 });
  expect(spawnSync('mount', ['-o', 'remount,ro', home]).status).toBe(0);
  const outcome = await runSrup(['agent', '--home', home]);
  expect(outcome).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("can't be written to") as string,
  });
  expect(outcome.stderr).toContain('read-only');
  expect(outcome.stderr).not.toMatch(/unexpected fault|^ +at /m);
});

test(
  'the whole disk of the server is full: orders are refused in words, and all goes on when there is room',
  { timeout: 3 * MINUTE },
  async ({ ground, skip }) => {
    const folder = join(ground.folder, 'server');
    await mkdir(folder, { mode: 0o700 });
    if (!mountTmpfs(folder, 'size=32m,mode=0700')) skip('needs to be root and to mount');
    ground.later(() => spawnSync('umount', [folder]));
    const site = await startSite(ground);
    const actions = { commands: { [ACTION]: ['/bin/true'] as [string] } };
    const device = await startDevice(ground, site, 'pump', { actions });
    const { id } = await untilJoined(site, device);
    const ballast = join(folder, 'ballast');
    expect(spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=4k']).status).toBe(1); // no space left
    // A few still fit into what the database has already.
    await until('an order is refused', async () => {
      const { code, stdout } = await site.ctl('action', id, ACTION);
      return code === 1 && stdout.includes('nothing was sent');
    });
    expect(site.process.child.exitCode).toBeNull();
    await rm(ballast);
    const after = await site.ctl('action', id, ACTION, '--wait');
    expect(after, after.stdout + after.stderr).toMatchObject({ code: 0 });
  },
);
