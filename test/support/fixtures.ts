/**
 * Fixtures of the tests of whole systems. Each is made when a test first asks for it, and taken down after the test (or
 * after the file, if it says so); what was started last is stopped first.
 *
 * @example
 * onEachBroker('an update', () => {
 *   test('reaches a device', async ({ ground, site }) => {
 *     const device = await startDevice(ground, site, 'pump');
 *   });
 * });
 */
import { describe, test as base } from 'vitest';
import { databaseKind } from '../../packages/server/test/database.ts';
import { BROKERS, canRun, startSiteOn, type BrokerName, type SiteOn } from './brokers.ts';
import { startCuttingProxy, type CuttingProxy } from './cutting-proxy.ts';
import { freePort } from './ports.ts';
import { newGround, type Ground } from './server.ts';

export interface ProxiedSite {
  readonly site: SiteOn;
  readonly proxy: CuttingProxy;
  /** The port of the server itself. */
  readonly httpsPort: number;
  /** Logs the operator in past the proxy, so that only the devices' way is in trouble. */
  readonly goDirect: () => Promise<void>;
}

export const test = base
  /** The broker of `site`. `onEachBroker` sets it. */
  .extend('broker', (): BrokerName => 'embedded')
  /** Arguments of `srup up` for `site`. A suite sets others with `test.override`. */
  .extend('siteArgs', (): readonly string[] => [])
  /** The test's own folder, with what to stop at the end of the test. */
  .extend('ground', async ({}, { onCleanup }): Promise<Ground> => {
    const ground = await newGround();
    onCleanup(() => ground.clear());
    return ground;
  })
  /** A server with its broker, on free ports, in `ground.folder/server`. */
  .extend('site', ({ ground, broker, siteArgs }): Promise<SiteOn> => startSiteOn(ground, broker, siteArgs))
  /** Like `site`, but devices reach its HTTPS port through a proxy, which can cut connections and lead elsewhere. */
  .extend('proxied', async ({ ground, broker, siteArgs }): Promise<ProxiedSite> => {
    const httpsPort = await freePort();
    const proxy = await startCuttingProxy(httpsPort);
    ground.later(() => proxy.close());
    const publicUrl = `https://localhost:${proxy.port}`;
    const detour = ['--https-port', String(httpsPort), '--public-url', publicUrl];
    const site = await startSiteOn(ground, broker, [...siteArgs, ...detour]);
    const direct = ['--url', `https://localhost:${httpsPort}`, '--ca-fingerprint', site.caFingerprint];
    const goDirect = async (): Promise<void> => {
      const { secret } = await site.ask<{ secret: string }>('tokens', 'create', 'direct', '--role', 'admin');
      const login = await site.ctl('login', ...direct, '--token', secret);
      if (login.code !== 0) throw new Error(`login failed: ${login.stderr}`);
    };
    return { site, proxy, httpsPort, goDirect };
  })
  /** Makes folders that live until the end of the file, for what its tests share. */
  .extend('makeGround', { scope: 'file' }, ({}, { onCleanup }) => {
    const made: Ground[] = [];
    onCleanup(async () => {
      for (let ground = made.pop(); ground !== undefined; ground = made.pop()) await ground.clear();
    });
    return async (): Promise<Ground> => {
      const ground = await newGround();
      made.push(ground);
      return ground;
    };
  });

/** The same suite on every broker; on one, where it runs again on another database: neither depends on the other. */
export function onEachBroker(name: string, suite: (broker: BrokerName) => void): void {
  const brokers = databaseKind() === 'sqlite' ? BROKERS : (['embedded'] as const);
  for (const broker of brokers) {
    describe.skipIf(!canRun(broker))(`${name} [${broker}]`, () => {
      test.override('broker', broker);
      suite(broker);
    });
  }
}
