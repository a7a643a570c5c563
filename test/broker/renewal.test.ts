import { readFile, writeFile } from 'node:fs/promises';
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Secret, systemClock, systemRandom } from '@srup/node';
import { parseIdentity } from '@srup/protocol';
import { openAuthority } from '../../packages/server/src/authority/authority.ts';
import { onEachBroker, test } from '../support/fixtures.ts';
import { launchDevice, TYPE, untilJoined, type Device } from '../support/device.ts';
import { credentialOf, intrude } from '../support/intruder.ts';
import type { Ground } from '../support/server.ts';

const DAY_MS = 86_400_000;

/** Gives the device a certificate that the site's CA issued two years ago, for one year. */
async function letExpire(ground: Ground, device: Device, id: string): Promise<void> {
  const folder = join(ground.folder, 'server', 'authority');
  const key = new Secret(await readFile(join(folder, 'ca.key.pem'), 'utf8'));
  const clock = { ...systemClock, now: () => Date.now() - 730 * DAY_MS };
  const ca = await readFile(join(folder, 'ca.pem'), 'utf8');
  const old = await openAuthority(key, ca, clock, systemRandom).issueClient(parseIdentity(id)!);
  const keys = join(device.home, 'keys');
  await writeFile(join(keys, 'tls.cert.pem'), new X509Certificate(old.chain).toString());
  await writeFile(join(keys, 'tls.key.pem'), old.key.reveal());
}

onEachBroker('a device whose certificate expired while it slept', () => {
  test.override('siteArgs', () => ['--open-registration']);

  test('is refused by the broker, gets a new one by its SRUP key, and obeys again', async ({
    ground,
    site,
  }) => {
    await site.ctl('policy', 'set', TYPE, 'accept');
    const device = await launchDevice(ground, site, 'sleeper');
    const { id } = await untilJoined(site, device);
    await device.process.stop();
    await letExpire(ground, device, id);
    const expired = await credentialOf(device);
    const early = await intrude(ground, site, expired, `SRUP Client: ${id}`);
    expect(early.entries).toBe(0);
    await early.link.close();

    device.restart();
    const done = await site.ctl('action', id, 'self-test', '--wait');
    expect(done, done.stderr + device.process.stderr()).toMatchObject({ code: 0 });
    expect(device.process.stderr()).toContain('the certificate of this device is renewed');
    const { validToDate } = new X509Certificate(await readFile(join(device.home, 'keys', 'tls.cert.pem')));
    expect(validToDate.getTime()).toBeGreaterThan(Date.now());
    expect((await untilJoined(site, device)).id).toBe(id);
  });
});
