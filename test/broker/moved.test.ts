/** A broker that gets another address, and then gives way to another broker (P 8, and docs/operation.md). */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { pino } from 'pino';
import { createPerformers, parseConfig, startAgent, type RunningAgent } from '@srup/agent';
import { test } from '../support/fixtures.ts';
import { canRun } from '../support/brokers.ts';
import { TYPE, type DeviceState } from '../support/device.ts';
import { prepareMosquitto } from '../support/mosquitto.ts';
import { runsPrograms, writeProgram } from '../support/programs.ts';
import { startSite, type Ground, type Site } from '../support/server.ts';
import { until } from '../support/wait.ts';

/** A device waits minutes before it asks where its broker is. */
const SOON = { leastMs: 200, mostMs: 1_000 };
const ANEW = { leastMs: 100, mostMs: 500 };

/** Starts an agent in this process, as the command would wait as long as a device does. */
async function startImpatient(
  ground: Ground,
  site: Site,
  factory: Parameters<typeof runsPrograms>[0],
): Promise<RunningAgent> {
  const { url, caFingerprint } = site;
  const health = { aliveSeconds: 0.5, deadlineSeconds: 10 };
  const software = runsPrograms(factory);
  const agent = await startAgent({
    config: parseConfig({ url, caFingerprint, type: TYPE, software, health }, 'the test'),
    home: join(ground.folder, 'mover'),
    log: pino({ level: 'silent' }),
    openPerformers: createPerformers,
    mqtt: { backoff: ANEW },
    enrolmentBackoff: ANEW,
    brokerPatience: SOON,
  });
  ground.later(() => agent.stop());
  return agent;
}

async function knownBroker(ground: Ground): Promise<string> {
  const text = await readFile(join(ground.folder, 'mover', 'identity.json'), 'utf8');
  return (JSON.parse(text) as { broker: string }).broker;
}

describe.skipIf(!canRun('mosquitto'))('a broker that moves', () => {
  test('is found by its devices; orders from the meantime arrive, and only once', async ({ ground }) => {
    const site = await startSite(ground, ['--open-registration']);
    await site.ctl('policy', 'set', TYPE, 'accept');
    await mkdir(join(ground.folder, 'mover'), { mode: 0o700 });
    const diary = join(ground.folder, 'diary');
    const starts = `import { appendFileSync } from 'node:fs'; appendFileSync('${diary}', 'started ');`;
    const first = await writeProgram(ground, 'v1');
    const second = await writeProgram(ground, 'v2', starts);
    const agent = await startImpatient(ground, site, first);
    await agent.joined;
    const { id = '' } = agent.status();
    await until('it has said what it is', async () => {
      return (await site.look<DeviceState>(`/devices/${id}`))?.identification;
    });
    expect(await knownBroker(ground)).toBe(site.brokerUrl);

    // The broker moves to another port while the device runs.
    await site.process.stop();
    const https = ['--https-port', new URL(site.url).port];
    const moved = await startSite(ground, ['--open-registration', ...https]);
    expect(moved.brokerUrl).not.toBe(site.brokerUrl);
    const done = await moved.ctl('action', id, 'self-test', '--wait', '--limit', '30s');
    expect(done, done.stdout + done.stderr).toMatchObject({ code: 0 });
    expect(await knownBroker(ground)).toBe(moved.brokerUrl);

    // Another broker, while the device is away; an update waits for it there.
    await agent.stop();
    await moved.process.stop();
    const mosquitto = await prepareMosquitto(ground);
    await mosquitto.start();
    const away = await startSite(ground, ['--open-registration', ...https, ...mosquitto.args]);
    expect(away.brokerUrl).toBe(mosquitto.url);
    expect(await away.ctl('update', id, second.path, '--no-wait')).toMatchObject({ code: 0 });
    await startImpatient(ground, away, first);
    await until('it is updated', async () => {
      const state = await away.look<DeviceState>(`/devices/${id}`);
      return state?.running?.digest === second.digest;
    });
    expect(await knownBroker(ground)).toBe(mosquitto.url);
    expect(await readFile(diary, 'utf8')).toBe('started ');
    const updates = await away.ask<{ exchange: { phase: string } }[]>('exchanges', '--kind', 'update');
    expect(updates.map(({ exchange }) => exchange.phase)).toEqual(['active']);
  });
});
