import { spawnSync } from 'node:child_process';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { isMissing } from '../../scripts/system-programs.ts';
import { test } from '../support/fixtures.ts';
import { launchDevice, letJoin, untilDevice, untilJoined } from '../support/device.ts';
import { runsPrograms, writeProgram } from '../support/programs.ts';
import { startSite, type Ground, type Site } from '../support/server.ts';

const MINUTE = 60_000;

/** Sets the clock of a process, for TLS too. */
async function lyingClock(ground: Ground, time: string) {
  const file = join(ground.folder, 'clock');
  const set = async (to: string) => {
    await writeFile(`${file}.new`, to);
    await rename(`${file}.new`, file); // never half a time
  };
  await set(time);
  const library = spawnSync('faketime', ['-f', '+0d', 'printenv', 'LD_PRELOAD'], { encoding: 'utf8' });
  const environment = {
    LD_PRELOAD: library.stdout.trim(),
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  return { environment, set };
}

async function act(site: Site, id: string): Promise<void> {
  const done = await site.ctl('action', id, ACTION, '--wait');
  expect(done, done.stdout + done.stderr).toMatchObject({ code: 0 });
}

/** An action of the product, as a self-test would report that the clock is wrong. */
const ACTION = '40';
const NEVER_SET = '@1970-01-01 00:01:00';
const FAR_AHEAD = '@2099-06-01 00:00:00';
const RIGHT = '+0';

describe.skipIf(isMissing('faketime'))('the clock of a device (threat 25)', () => {
  test(
    'was never set, steps ahead and back: it registers, is updated and acts all the while',
    { timeout: 5 * MINUTE },
    async ({ ground }) => {
      const site = await startSite(ground, ['--open-registration']);
      await letJoin(site);
      const clock = await lyingClock(ground, NEVER_SET);
      const first = await writeProgram(ground, 'v1');
      const second = await writeProgram(ground, 'v2');
      const actions = { commands: { [ACTION]: ['/bin/true'] as [string] } };
      const config = { software: runsPrograms(first), actions };
      const device = await launchDevice(ground, site, 'pump', config, clock.environment);
      const { id } = await untilJoined(site, device);
      expect(device.process.stderr()).toContain('THE CLOCK OF THIS DEVICE IS NOT SET');
      const update = await site.ctl('update', id, second.path);
      expect(update, update.stderr).toMatchObject({ code: 0 });

      // While it runs, and when it starts and connects again.
      for (const time of [RIGHT, FAR_AHEAD, NEVER_SET, FAR_AHEAD]) {
        await clock.set(time);
        await act(site, id);
        await device.process.stop();
        device.restart();
        await act(site, id);
      }
      const { running } = await untilDevice(site, device, 'known', () => true);
      expect(running?.digest).toBe(second.digest);
    },
  );
});
