import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { importVerifyKey } from '@srup/node';
import { authenticate, decode, fromHex, STATUS, type MessageOf } from '@srup/protocol';
import { onEachBroker, test } from '../support/fixtures.ts';
import { startDevice, untilDevice, untilJoined } from '../support/device.ts';
import { runsPrograms, writeProgram } from '../support/programs.ts';
import { startSite, type Site } from '../support/server.ts';
import { until } from '../support/wait.ts';

interface Evidence {
  readonly type: string;
  readonly direction: 'in' | 'out';
  readonly token: string;
  readonly hex: string;
}

interface Exchange {
  readonly exchange: { readonly kind: string; readonly phase: string; readonly status?: number };
}

interface Received {
  readonly dataId: string;
  readonly value: unknown;
}

/** Bytes of a connection until it is cut, and how many connections are cut. */
const CUT_AFTER = 1_000_000;
const MOST_CUTS = 20;

/** The status bytes of the receipts of one exchange, each verified with only the device's public key. */
async function provenStatuses(site: Site, id: string, publicPem: string, token: string): Promise<number[]> {
  const evidence = await site.api((api) => api.list<Evidence>(`/devices/${id}/messages`, { token }));
  const key = importVerifyKey(publicPem);
  return evidence.flatMap(({ direction, type, hex }) => {
    if (direction !== 'in' || type !== 'RESPONSE') return [];
    const decoded = decode(fromHex(hex) as Uint8Array);
    if (!decoded.ok || !authenticate(decoded.value, key).ok) throw new Error('evidence that does not verify');
    return [(decoded.value.message as MessageOf<'RESPONSE'>).body.status];
  });
}

onEachBroker('an update, from registration to the receipt', () => {
  test('runs version 2 and proves it; a version that dies is reverted, and that is proven too', async ({
    ground,
    site,
  }) => {
    const first = await writeProgram(ground, 'v1');
    const second = await writeProgram(ground, 'v2');
    const broken = await writeProgram(ground, 'v3', 'process.exit(1);');
    const device = await startDevice(ground, site, 'pump', { software: runsPrograms(first) });
    const { id, identification } = await untilJoined(site, device);
    expect(identification).toMatch(/^srup-agent\//);
    const publicPem = await device.publicPem();

    const update = await site.ctl('update', id, second.path, '--version', '2');
    expect(update, update.stderr).toMatchObject({ code: 0 });
    const updated = await untilDevice(site, device, 'updated', (state) => state.running !== undefined);
    expect(updated.running?.digest).toBe(second.digest);
    const token = updated.running?.token ?? '';
    expect((await provenStatuses(site, id, publicPem, token)).sort()).toEqual([
      STATUS.UPDATE_SUCCESS,
      STATUS.ACTIVATE_SUCCESS,
    ]);
    await until('version 2 itself was heard (P 10.6)', async () => {
      const received = await site.api((api) => api.list<Received>(`/devices/${id}/data`));
      return received.some(({ dataId, value }) => dataId === 'version' && value === 'v2');
    });

    const failing = await site.ctl('update', id, broken.path);
    expect(failing.code, failing.stdout).toBe(1);
    expect(failing.stdout).toContain('reverted');
    const query = { device: id, kind: 'update' };
    const [last] = await site.api((api) => api.list<Exchange>('/exchanges', query, 1));
    expect(last?.exchange).toMatchObject({ phase: 'reverted', status: STATUS.ACTIVATE_FAIL });
    const { running } = await untilDevice(site, device, 'known', () => true);
    expect(running?.digest).toBe(second.digest);
  });

  test('continues where it was after agent and server are killed in the middle of it', async ({
    ground,
    site,
  }) => {
    const first = await writeProgram(ground, 'v1');
    const second = await writeProgram(ground, 'v2');
    const device = await startDevice(ground, site, 'pump', { software: runsPrograms(first) });
    const { id } = await untilJoined(site, device);

    const staged = await site.ctl('update', id, second.path, '--stage-only');
    expect(staged, staged.stderr).toMatchObject({ code: 0 });
    await device.process.stop('SIGKILL');
    expect((await site.ctl('activate', id, '--no-wait')).code).toBe(0);
    await site.process.stop('SIGKILL');
    const again = await startSite(ground, site.sameAgain);
    device.restart();
    const { running } = await untilDevice(again, device, 'updated', (state) => state.running !== undefined);
    expect(running?.digest).toBe(second.digest);
  });

  test('continues where it was when a download is cut again and again', async ({
    ground,
    proxied: { site, proxy },
  }) => {
    const first = await writeProgram(ground, 'v1');
    const device = await startDevice(ground, site, 'pump', { software: runsPrograms(first) });
    const { id } = await untilJoined(site, device);

    const large = join(ground.folder, 'large.mjs');
    const text = `setInterval(() => {}, 1000);\n// ${randomBytes(4_500_000).toString('base64')}\n`;
    await writeFile(large, text);
    const { digest } = await site.ask<{ digest: string }>('upload', large);
    expect(digest).toBe(createHash('sha256').update(text).digest('hex'));
    proxy.cutAfter(CUT_AFTER, MOST_CUTS);
    const before = proxy.bytesBack;
    const update = await site.ctl('update', id, digest);
    expect(update, update.stderr).toMatchObject({ code: 0 });
    // A client that begins at zero is cut until no cut is left: 20 MB, and then the file.
    // One that goes on is cut about once a megabyte, and loses little more than the end of a TLS record each time.
    expect(proxy.cuts).toBeGreaterThanOrEqual(5);
    expect(proxy.cuts).toBeLessThan(MOST_CUTS);
    expect(proxy.bytesBack - before).toBeLessThan(text.length + 3 * CUT_AFTER);
    const { running } = await untilDevice(site, device, 'known', () => true);
    expect(running?.digest).toBe(digest);
  });
});
