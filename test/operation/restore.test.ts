import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { readCrl } from '../../packages/server/src/authority/crl.ts';
import { onEachBroker, test } from '../support/fixtures.ts';
import {
  launchDevice,
  startDevice,
  TYPE,
  untilDevice,
  untilJoined,
  type Device,
  type DeviceState,
} from '../support/device.ts';
import { restoreOptions } from '../support/database.ts';
import { credentialOf, intrude } from '../support/intruder.ts';
import { runSrup } from '../support/processes.ts';
import { runsPrograms, writeProgram } from '../support/programs.ts';
import { startSite, type Site } from '../support/server.ts';
import { until } from '../support/wait.ts';

interface Evidence {
  readonly direction: 'in' | 'out';
  readonly sequence: string;
  readonly hex: string;
}

interface Exchange {
  readonly exchange: { readonly phase: string; readonly kind: string; readonly token: string };
}

/** All messages with the device that this server holds. */
function evidenceOf(site: Site, id: string): Promise<Evidence[]> {
  return site.ask<Evidence[]>('messages', id, '--limit', 'all');
}

/** Numbers that stand for more than one message, in either direction. */
function reused(evidence: readonly Evidence[]): string[] {
  const bytes = new Map<string, string>();
  return evidence.flatMap(({ direction, sequence, hex }) => {
    const number = `${direction} ${sequence}`;
    const known = bytes.get(number);
    bytes.set(number, hex);
    return known === undefined || known === hex ? [] : [number];
  });
}

function highestSent(evidence: readonly Evidence[]): bigint {
  const sent = evidence
    .filter(({ direction }) => direction === 'out')
    .map(({ sequence }) => BigInt(sequence));
  return sent.reduce((most, one) => (one > most ? one : most), 0n);
}

async function refusalsOf(device: Device): Promise<Record<string, number>> {
  const { stdout } = await runSrup(['agent', 'status', '--home', device.home, '--json']);
  return (JSON.parse(stdout) as { refusals: Record<string, number> }).refusals;
}

onEachBroker('a server that was lost and restored', () => {
  test('continues with its devices: no number twice, nothing done twice, nothing forgotten', async ({
    ground,
    site,
  }) => {
    const first = await writeProgram(ground, 'v1');
    const second = await writeProgram(ground, 'v2');
    const third = await writeProgram(ground, 'v3');
    const diary = join(ground.folder, 'diary');
    const acts = (name: string) => ({
      software: runsPrograms(first),
      actions: { commands: { '40': ['/bin/sh', '-c', `echo ${name} >> ${diary}`] as [string, ...string[]] } },
    });
    const devices = await Promise.all([
      startDevice(ground, site, 'pump', acts('pump')),
      startDevice(ground, site, 'valve', acts('valve')),
    ]);
    const [pump, valve] = await Promise.all([untilJoined(site, devices[0]), untilJoined(site, devices[1])]);
    const ids = [pump.id, valve.id];
    expect(await site.ctl('update', pump.id, second.path)).toMatchObject({ code: 0 });

    // In flight: commands to a device that does not hear them yet.
    await devices[1].process.stop('SIGKILL');
    expect(await site.ctl('action', valve.id, '40')).toMatchObject({ code: 0 });
    const { digest } = await site.ask<{ digest: string }>('upload', third.path);
    expect(await site.ctl('update', valve.id, digest, '--no-wait')).toMatchObject({ code: 0 });
    await site.ask('codes', 'create');
    const file = join(ground.folder, 'srup.backup');
    const folder = join(ground.folder, 'server');
    const made = await runSrup(['backup', file, '--folder', folder]);
    expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining('private keys') as string });

    // Then more happens, which the backup does not have.
    devices[1].restart();
    await untilDevice(site, devices[1], 'on v3', ({ running }) => running?.digest === third.digest);
    expect(await site.ctl('action', ...ids, '40', '--wait')).toMatchObject({ code: 0 });
    const before = { pump: await evidenceOf(site, pump.id), valve: await evidenceOf(site, valve.id) };
    expect((await readFile(diary, 'utf8')).split('\n').sort()).toEqual(['', 'pump', 'valve', 'valve']);
    await site.process.stop('SIGKILL');
    await rm(folder, { recursive: true });

    const restored = await runSrup([
      ...['restore', file, '--folder', folder],
      ...(await restoreOptions(ground)),
    ]);
    expect(restored, restored.stderr).toMatchObject({ code: 0 });
    expect(restored.stderr).toMatch(/old server must never run again[^]*are trusted again[^]*--crl FILE/);
    const again = await startSite(ground, site.sameAgain);

    // Open exchanges end as they ended on the device, by its repeated receipts.
    await until('what was open is over', async () => {
      const open = await again.ask<Exchange[]>('exchanges', '--open');
      return open.length === 0;
    });
    const updates = await again.ask<Exchange[]>('exchanges', '--device', valve.id, '--kind', 'update');
    expect(updates.map(({ exchange }) => exchange.phase)).toEqual(['active']);
    await untilDevice(again, devices[1], 'on v3', ({ running }) => running?.digest === third.digest);

    expect(await again.ctl('action', ...ids, '40', '--wait')).toMatchObject({ code: 0 });
    expect(await again.ctl('update', pump.id, digest)).toMatchObject({ code: 0 });
    expect(await again.ctl('update', valve.id, second.digest)).toMatchObject({ code: 0 });
    expect((await readFile(diary, 'utf8')).split('\n').sort()).toEqual(
      ['', 'pump', 'pump', 'valve', 'valve', 'valve'], // each once for each command
    );

    const after = { pump: await evidenceOf(again, pump.id), valve: await evidenceOf(again, valve.id) };
    for (const name of ['pump', 'valve'] as const) {
      expect(reused([...before[name], ...after[name]])).toEqual([]);
      expect(highestSent(after[name]) - highestSent(before[name])).toBeGreaterThan(2n ** 26n);
    }
    // The devices saw no number a second time and none that they could not follow.
    for (const device of devices) {
      const codes = Object.keys(await refusalsOf(device));
      expect(codes.filter((code) => code.startsWith('REPLAY'))).toEqual([]);
    }
    // A code that was there is not: it may have been used up since.
    expect(await again.ask('codes')).toEqual([]);
  });
});

onEachBroker('devices that were revoked after the backup', () => {
  test.override('siteArgs', () => ['--open-registration']);

  test('stay so when the restore is given the newest revocation list', async ({ ground, site }) => {
    await site.ctl('policy', 'set', TYPE, 'accept');
    const folder = join(ground.folder, 'server');
    const enrolled = async (name: string) => {
      const device = await launchDevice(ground, site, name);
      return { device, id: (await untilJoined(site, device)).id, stolen: await credentialOf(device) };
    };
    const [kept, lost] = await Promise.all([enrolled('kept'), enrolled('lost')]);
    const file = join(ground.folder, 'srup.backup');
    expect(await runSrup(['backup', file, '--folder', folder])).toMatchObject({ code: 0 });
    const late = await enrolled('late'); // of which the backup knows nothing
    for (const { device, id } of [lost, late]) {
      await device.process.stop();
      expect(await site.ctl('revoke', id, '--yes')).toMatchObject({ code: 0 });
    }
    await site.process.stop('SIGKILL');
    const newest = join(ground.folder, 'newest.pem');
    await rename(join(folder, 'key-service', 'crl.pem'), newest);
    await rm(folder, { recursive: true });

    const more = await restoreOptions(ground);
    const args = ['restore', file, '--folder', folder, '--crl', newest, '--json', ...more];
    const restored = await runSrup(args);
    expect(restored, restored.stderr).toMatchObject({ code: 0 });
    expect(JSON.parse(restored.stdout)).toMatchObject({ revoked: [lost.id], unclear: [] });
    expect(restored.stderr).toMatch(new RegExp(`these are revoked: ${lost.id}\n`));
    const again = await startSite(ground, site.sameAgain);
    await until('it is deregistered', async () => {
      const state = await again.look<DeviceState>(`/devices/${lost.id}`);
      return state?.standing === 'deregistered';
    });
    await until('the broker refuses revoked devices', async () => (await again.ctl('broker')).code === 0);
    for (const { id, stolen } of [lost, late]) {
      const thief = await intrude(ground, again, stolen, `SRUP Client: ${id}`);
      expect(thief.entries).toBe(0);
      await thief.link.close();
    }
    const done = await again.ctl('action', kept.id, 'self-test', '--wait');
    expect(done, done.stderr + kept.device.process.stderr()).toMatchObject({ code: 0 });

    // Its own list goes on from that one, and has all that was on it.
    const ca = await readFile(join(folder, 'authority', 'ca.pem'), 'utf8');
    const before = readCrl(await readFile(newest, 'utf8'), ca)!;
    const after = readCrl(await readFile(join(folder, 'key-service', 'crl.pem'), 'utf8'), ca)!;
    expect(after.number).toBeGreaterThan(before.number);
    const serials = after.entries.map(({ serial }) => serial);
    expect(serials).toEqual(expect.arrayContaining(before.entries.map(({ serial }) => serial)));
  });
});
