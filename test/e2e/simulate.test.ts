/** `srup simulate` with a real server, as an integrator uses it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { startSiteOn } from '../support/brokers.ts';
import type { DeviceState } from '../support/device.ts';
import { onEachBroker, test } from '../support/fixtures.ts';
import { runSrup, startSrup, type Outcome } from '../support/processes.ts';
import type { Ground, Site } from '../support/server.ts';
import { until } from '../support/wait.ts';

let ground: Ground;
let site: Site;

interface Exchange {
  readonly exchange: { readonly phase: string };
}

interface Summary {
  readonly devices: number;
  readonly enrolled: number;
  readonly joined: number;
  readonly updated: number;
  readonly events: Readonly<Record<string, number>>;
  readonly refusals: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly steps: Readonly<Record<string, { readonly count: number }>>;
  readonly unconfirmed?: number;
}

const env = () => ({ SRUP_CONFIG: join(ground.folder, 'ctl.json') });
const simulate = (...args: string[]): Promise<Outcome> => runSrup(['simulate', ...args], env());
const summaryOf = ({ code, stdout, stderr }: Outcome): Summary => {
  if (code !== 0) throw new Error(`srup simulate ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as Summary;
};

async function devicesOf(type: string): Promise<readonly { id: string; standing: string }[]> {
  return site.api((api) => api.list('/devices', { type }));
}

onEachBroker('a simulated fleet', (broker) => {
  test.beforeAll(async ({ makeGround }) => {
    ground = await makeGround();
    site = await startSiteOn(ground, broker, []);
  });

  test('devices with faults are updated as their faults allow, and the server knows what is true', async () => {
    const fleet = startSrup(
      [
        ...['simulate', '--devices', '30', '--accept-joins', '--until', 'updated', '--for', '100s', '--json'],
        ...[
          '--failing-health',
          '3',
          '--bad-downloads',
          '10%',
          '--duplicates',
          '2',
          '--offline',
          '4',
          '--seed',
          'a',
        ],
      ],
      env(),
    );
    ground.later(() => fleet.stop('SIGKILL'));
    await until('all are joined, and the offline ones are away', async () => {
      if (fleet.child.exitCode !== null) throw new Error(fleet.stderr());
      const devices = await site.api((api) => api.list<DeviceState>('/devices'));
      return (
        devices.filter(
          ({ standing, identification }) => standing === 'joined' && identification !== undefined,
        ).length === 30
      );
    });
    await writeFile(join(ground.folder, 'software'), 'new software');
    await site.ctl('update', '--type', 'simulated', join(ground.folder, 'software'), '--no-wait');
    const code = await fleet.ended;
    const summary = summaryOf({ code, stdout: fleet.stdout(), stderr: fleet.stderr() });
    expect(summary).toMatchObject({
      devices: 30,
      enrolled: 30,
      joined: 30,
      faults: { failingHealth: 3, badDownloads: 3, duplicates: 2, offline: 4 },
    });
    const { switched = 0, reverted = 0, badDownloads = 0 } = summary.events;
    expect(switched + reverted + badDownloads).toBe(summary.updated);
    expect(summary.updated).toBeGreaterThanOrEqual(26);
    // The server knows of it by signed receipts only.
    const phases = await until('the last receipts', async () => {
      const updates = await site.api((api) => api.list<Exchange>('/exchanges', { kind: 'update' }));
      const count = (phase: string) => updates.filter(({ exchange }) => exchange.phase === phase).length;
      const [active, back, failed] = [count('active'), count('reverted'), count('failed')];
      return active === switched && back === reverted && failed === badDownloads && updates.length;
    });
    expect(phases).toBe(30);
    // Duplicates were refused as such.
    const refusals = await site.ask<Readonly<Record<string, number>>>('refusals', '--counts');
    expect(refusals['REPLAY_SEEN']).toBeGreaterThan(0);
  });

  test('a fleet that is kept continues in the next run, and leaves with --leave', async () => {
    const common = ['--devices', '8', '--type', 'kept', '--keep', join(ground.folder, 'fleet'), '--json'];
    const first = summaryOf(
      await simulate(...common, '--accept-joins', '--until', 'joined', '--for', '100s'),
    );
    expect(first.steps['register']?.count).toBe(8);
    const before = await devicesOf('kept');
    const second = summaryOf(await simulate(...common, '--until', 'joined', '--for', '100s'));
    expect(second).toMatchObject({ enrolled: 8, joined: 8, refusals: {} });
    expect(second.steps['register']).toBeUndefined();
    expect((await devicesOf('kept')).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    const other = await simulate(...common, '--suite', 'rsa-sha256');
    expect(other).toMatchObject({ code: 2 });
    expect(other.stderr).toContain('another suite');
    const last = summaryOf(await simulate(...common, '--until', 'joined', '--for', '100s', '--leave'));
    expect(last.unconfirmed).toBe(0);
    expect((await devicesOf('kept')).every(({ standing }) => standing === 'deregistered')).toBe(true);
    expect(await site.ask('codes')).toEqual([]);
  });

  test('mistakes are reported: a wrong code, joins that nobody decides, a share that is not one', async () => {
    const { url, caFingerprint } = site;
    const stranger = [
      '--url',
      url,
      '--ca-fingerprint',
      caFingerprint,
      '--devices',
      '2',
      '--type',
      'stranger',
    ];
    const refused = await simulate(...stranger, '--enrolment-code', 'wrong', '--for', '60s');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('enrolment code');
    const waiting = await simulate('--devices', '1', '--type', 'unheard', '--until', 'joined', '--for', '3s');
    expect(waiting.code).toBe(1);
    expect(waiting.stderr).toContain('srup ctl joins');
    expect(await simulate('--slow', 'often')).toMatchObject({ code: 2 });
  });
});
