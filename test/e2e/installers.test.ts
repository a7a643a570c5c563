import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { STATUS } from '@srup/protocol';
import { startDevice, untilDevice, untilJoined } from '../support/device.ts';
import { newGround, startSite, type Ground } from '../support/server.ts';

const PLAIN = fileURLToPath(new URL('../../examples/installers/plain.sh', import.meta.url));

interface Update {
  readonly exchange: { readonly phase: string; readonly status?: number };
}

let ground: Ground;

beforeEach(async () => {
  ground = await newGround();
});
afterEach(async () => {
  await ground.clear();
});

async function writeImage(name: string): Promise<{ path: string; digest: string }> {
  const path = join(ground.folder, name);
  await writeFile(path, `${name}\n`);
  return { path, digest: createHash('sha256').update(`${name}\n`).digest('hex') };
}

it('a script installs, and the receipts say what really runs', async () => {
  const site = await startSite(ground);
  const app = join(ground.folder, 'app');
  await mkdir(app);
  const device = await startDevice(ground, site, 'pump', {
    software: {
      installer: 'command',
      command: [PLAIN],
      env: { APP_FOLDER: app, APP_RESTART: `cat current >>'${app}/started' || :` },
    },
    health: { command: ['/bin/sh', '-c', `! grep -q sick '${app}/current'`], deadlineSeconds: 1 },
  });
  const { id } = await untilJoined(site, device);
  const first = await writeImage('one');
  const second = await writeImage('two');
  const sick = await writeImage('sick');

  for (const { path, digest } of [first, second]) {
    const update = await site.ctl('update', id, path);
    expect(update, update.stderr).toMatchObject({ code: 0 });
    expect((await untilDevice(site, device, 'known', () => true)).running?.digest).toBe(digest);
    await untilDevice(site, device, 'telling it', ({ identification = '' }) =>
      identification.endsWith(digest),
    );
  }
  const failing = await site.ctl('update', id, sick.path);
  expect(failing.code, failing.stdout).toBe(1);
  const [last] = await site.ask<Update[]>('exchanges', '--device', id, '--kind', 'update');
  expect(last?.exchange).toMatchObject({ phase: 'reverted', status: STATUS.ACTIVATE_FAIL });
  expect((await untilDevice(site, device, 'known', () => true)).running?.digest).toBe(second.digest);
  expect(await readFile(join(app, 'started'), 'utf8')).toBe('one\ntwo\nsick\ntwo\n');
});
