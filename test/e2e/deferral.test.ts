import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { onEachBroker, test } from '../support/fixtures.ts';
import { startDevice, untilJoined } from '../support/device.ts';
import { runSrup } from '../support/processes.ts';
import { runsPrograms, writeProgram } from '../support/programs.ts';
import { until } from '../support/wait.ts';

interface Update {
  readonly exchange: {
    readonly phase: string;
    readonly wakeAt?: number;
    readonly deferral?: { readonly reason: string; readonly until?: number };
  };
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

onEachBroker('a device that defers an update', () => {
  test('says why and until when, and switches when it can (P 10.11)', async ({ ground, site }) => {
    const first = await writeProgram(ground, 'v1');
    const second = await writeProgram(ground, 'v2');
    const busy = join(ground.folder, 'busy');
    const ask = `test ! -e '${busy}' || { echo 'a patient is on it'; echo retry-after=7200; exit 1; }`;
    const device = await startDevice(ground, site, 'pump', {
      software: { ...runsPrograms(first), preconditions: [{ command: ['/bin/sh', '-c', ask] }] },
    });
    const { id } = await untilJoined(site, device);
    const last = async (): Promise<Update['exchange'] | undefined> =>
      (await site.ask<Update[]>('exchanges', '--device', id, '--kind', 'update'))[0]?.exchange;
    const untilDeferred = (reason: string) =>
      until(`it is deferred: ${reason}`, async () => {
        const update = await last();
        return update?.deferral?.reason === reason ? update : undefined;
      });

    await writeFile(busy, '');
    const asked = Date.now();
    expect((await site.ctl('update', id, second.path, '--no-wait')).code).toBe(0);
    const { phase, wakeAt = 0 } = await untilDeferred('a patient is on it');
    expect(phase).toBe('activating');
    expect(wakeAt).toBeGreaterThan(asked + 2 * HOUR - MINUTE);
    expect(wakeAt).toBeLessThan(Date.now() + 2 * HOUR + MINUTE);
    const shown = await site.ctl('exchanges', '--device', id, '--kind', 'update');
    expect(shown.stdout).toMatch(
      /deferred the activation: a patient is on it \(asked again at [-0-9]+ [0-9:]+ UTC\)/,
    );

    // The owner's deferral takes precedence over the conditions; an operator can ask again at once.
    const defer = (...args: string[]) => runSrup(['agent', 'defer', ...args, '--home', device.home]);
    expect(await defer('1h', '--reason', 'trade fair')).toMatchObject({ code: 0 });
    expect((await site.ctl('activate', id, '--no-wait')).code).toBe(0);
    await untilDeferred('trade fair');

    expect(await defer('off')).toMatchObject({ code: 0 });
    await until('the fair is over', async () => {
      const { stdout } = await runSrup(['agent', 'status', '--home', device.home, '--json']);
      return !('deferred' in (JSON.parse(stdout) as object));
    });
    await rm(busy);
    const done = await site.ctl('activate', id);
    expect(done, done.stderr).toMatchObject({ code: 0 });
    expect(await last()).toMatchObject({ phase: 'active' });
  });
});
