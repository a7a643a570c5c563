import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { STATUS } from '@srup/protocol';
import { onEachBroker, test } from '../support/fixtures.ts';
import { startDevice, untilDevice, untilJoined } from '../support/device.ts';
import { startFailingServer } from '../support/failing-server.ts';
import { runsPrograms, writeProgram } from '../support/programs.ts';
import { startSite, type Site } from '../support/server.ts';
import { until } from '../support/wait.ts';

interface Exchange {
  readonly exchange: { readonly phase: string; readonly status?: number };
}

/** The status of the last update. */
async function statusOfFailed(site: Site, id: string): Promise<number | undefined> {
  const [last] = await site.api((api) => api.list<Exchange>('/exchanges', { device: id, kind: 'update' }, 1));
  expect(last?.exchange.phase).toBe('failed');
  return last?.exchange.status;
}

onEachBroker('trouble on the way to new software', () => {
  test('is reported with the right status, and changes nothing on the device', async ({ ground, site }) => {
    const first = await writeProgram(ground, 'v1');
    const device = await startDevice(ground, site, 'pump', {
      software: runsPrograms(first),
      fetch: { attempts: 1 },
    });
    const { id } = await untilJoined(site, device);
    const fileOf = (digest: string): string => join(ground.folder, 'server', 'artifacts', digest);
    const failure = async (
      name: string,
      spoil: (path: string) => Promise<void>,
    ): Promise<number | undefined> => {
      const program = await writeProgram(ground, name);
      const { digest } = await site.ask<{ digest: string }>('upload', program.path);
      await spoil(fileOf(digest));
      const { code, stdout } = await site.ctl('update', id, digest);
      expect(code, stdout).toBe(1);
      return statusOfFailed(site, id);
    };

    expect(await failure('gone', (path) => rm(path))).toBe(STATUS.UPDATE_FAIL_FILE);
    expect(await failure('other', (path) => writeFile(path, 'not what was uploaded'))).toBe(
      STATUS.UPDATE_FAIL_DIGEST,
    );
    const state = await untilDevice(site, device, 'known', () => true);
    expect(state.running).toBeUndefined();

    // The device still works.
    const good = await writeProgram(ground, 'v2');
    expect((await site.ctl('update', id, good.path)).code).toBe(0);
  });

  test('an HTTP error, and a server that does not answer, have a status each', async ({
    ground,
    proxied: { site, proxy, httpsPort, goDirect },
  }) => {
    await goDirect();
    const device = await startDevice(ground, site, 'pump', { fetch: { attempts: 1 } });
    const { id } = await untilJoined(site, device);
    const failing = await startFailingServer(join(ground.folder, 'server', 'tls', 'server.pem'));
    ground.later(() => failing.close());

    const failure = async (name: string, target: number | undefined): Promise<number | undefined> => {
      const program = await writeProgram(ground, name);
      const { digest } = await site.ask<{ digest: string }>('upload', program.path);
      proxy.leadTo(target);
      const { code, stdout, stderr } = await site.ctl('update', id, digest);
      proxy.leadTo(httpsPort);
      expect(code, stdout + stderr).toBe(1);
      return statusOfFailed(site, id);
    };

    expect(await failure('error', failing.port)).toBe(STATUS.UPDATE_FAIL_HTTP_ERROR);
    expect(failing.asked).toEqual([expect.stringMatching(/^GET \/artifacts\/[0-9a-f]{64}$/)]);
    expect(await failure('silence', undefined)).toBe(STATUS.UPDATE_FAIL_SERVER);

    // Control: only the connection was wrong.
    const good = await writeProgram(ground, 'good');
    expect((await site.ctl('update', id, good.path, '--stage-only')).code).toBe(0);
  });

  test('device and operator wait for a server that is away', async ({ ground, site }) => {
    const device = await startDevice(ground, site, 'pump');
    const { id } = await untilJoined(site, device);
    await site.process.stop('SIGKILL');
    const away = await site.ctl('devices');
    expect(away.code).toBe(3);
    expect(away.stderr).toMatch(/can't be reached/);
    expect(away.stderr).not.toMatch(/ at .*:\d+:\d+/);
    if (site.external === undefined) {
      await until('the device has seen it', () =>
        device.process.stderr().includes('not connected to the broker'),
      );
    }

    const again = await startSite(ground, site.sameAgain);
    const done = await again.ctl('action', id, 'self-test', '--wait');
    expect(done, done.stderr).toMatchObject({ code: 0 });
    expect(done.stdout).toContain('done');
  });
});
