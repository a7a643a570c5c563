import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { STATUS } from '@srup/protocol';
import { onEachBroker, test } from '../support/fixtures.ts';
import { startDevice, untilDevice, untilJoined } from '../support/device.ts';
import { runsPrograms, writeProgram } from '../support/programs.ts';
import type { Ground } from '../support/server.ts';

const PLAIN = fileURLToPath(new URL('../../examples/installers/plain.sh', import.meta.url));

interface Update {
  readonly exchange: { readonly phase: string; readonly status?: number };
}

async function writeImage(ground: Ground, name: string): Promise<{ path: string; digest: string }> {
  const path = join(ground.folder, name);
  await writeFile(path, `${name}\n`);
  return { path, digest: createHash('sha256').update(`${name}\n`).digest('hex') };
}

onEachBroker('a script', () => {
  test('installs, and the receipts say what really runs', async ({ ground, site }) => {
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
    const first = await writeImage(ground, 'one');
    const second = await writeImage(ground, 'two');
    const sick = await writeImage(ground, 'sick');

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
});

interface Receipt {
  readonly ok: boolean;
  readonly phase?: string;
  readonly explanation: string;
}

onEachBroker('a rollback', () => {
  test('needs no download, with every installer, while no device can fetch a file (P 10.12)', async ({
    ground,
    proxied: { site, proxy, goDirect },
  }) => {
    await goDirect();
    const app = join(ground.folder, 'app');
    await mkdir(app);
    const target = join(ground.folder, 'data');
    const factory = await writeProgram(ground, 'v1');
    const next = await writeProgram(ground, 'v2');
    const devices = await Promise.all([
      startDevice(ground, site, 'process', { software: runsPrograms(factory), fetch: { attempts: 1 } }),
      startDevice(ground, site, 'file', { software: { installer: 'file', target }, fetch: { attempts: 1 } }),
      startDevice(ground, site, 'command', {
        software: { installer: 'command', command: [PLAIN], env: { APP_FOLDER: app } },
        fetch: { attempts: 1 },
      }),
    ]);
    const ids: string[] = [];
    for (const device of devices) ids.push((await untilJoined(site, device)).id);
    const [processId = '', ...others] = ids;
    const one = await writeImage(ground, 'one');
    const two = await writeImage(ground, 'two');
    for (const { path } of [one, two]) expect((await site.ctl('update', ...others, path)).code).toBe(0);
    expect((await site.ctl('update', processId, next.path)).code).toBe(0);

    proxy.leadTo(undefined);
    // The connection is really cut: an update fails.
    const control = await site.ctl('update', processId, one.path);
    expect(control.code, control.stdout).toBe(1);
    const back = await site.ctl('rollback', '--all');
    expect(back, back.stderr).toMatchObject({ code: 0 });
    // The factory's version came with the device: the server never had its file.
    expect(back.stderr).toContain(
      `${processId} still held ${factory.digest.slice(0, 12)} and downloaded nothing.`,
    );
    for (const [at, device] of devices.entries()) {
      const { running } = await untilDevice(site, device, 'known', () => true);
      expect(running?.digest).toBe(at === 0 ? factory.digest : one.digest);
    }
    expect(await readFile(target, 'utf8')).toBe('one\n');
    expect(await readFile(join(app, 'current'), 'utf8')).toBe('one\n');

    // Further back there is nothing that a device has proven; forward there is, by its name.
    const further = await site.ctl('rollback', ...ids, '--json');
    expect(further.code).toBe(1);
    for (const { ok, explanation } of JSON.parse(further.stdout) as Receipt[]) {
      expect(ok).toBe(false);
      expect(explanation).toMatch(/not proven to have run anything before/);
    }
    expect((await site.ctl('rollback', processId, '--to', next.digest.slice(0, 12))).code).toBe(0);
    const shown = await site.ctl('software', processId);
    expect(shown.stdout).toMatch(new RegExp(`${next.digest.slice(0, 12)}[^]*${factory.digest.slice(0, 12)}`));
  });

  test('fetches what the device no longer holds, and fails in words when nobody has it', async ({
    ground,
    site,
  }) => {
    const factory = await writeProgram(ground, 'v1');
    const next = await writeProgram(ground, 'v2');
    const device = await startDevice(ground, site, 'pump', {
      software: runsPrograms(factory),
      fetch: { attempts: 1 },
    });
    const { id } = await untilJoined(site, device);
    expect((await site.ctl('update', id, next.path)).code).toBe(0);
    const drop = (digest: string) => rm(join(device.home, 'software', 'slots', digest), { recursive: true });

    await drop(factory.digest);
    const nowhere = await site.ctl('rollback', id);
    expect(nowhere.code, nowhere.stdout).toBe(1);
    expect(nowhere.stderr).toContain('no longer holds');
    expect((await untilDevice(site, device, 'known', () => true)).running?.digest).toBe(next.digest);

    expect((await site.ctl('upload', factory.path, '--version', '1')).code).toBe(0);
    const back = await site.ctl('rollback', id, '--to', '1');
    expect(back, back.stderr).toMatchObject({ code: 0 });
    expect((await untilDevice(site, device, 'known', () => true)).running?.digest).toBe(factory.digest);
    expect((await site.ctl('rollback', id, '--to', '7')).stdout).toContain('has not proven to have run 7');
  });
});
