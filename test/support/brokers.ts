import { isMissing } from '../../scripts/system-programs.ts';
import { prepareMosquitto, type Mosquitto } from './mosquitto.ts';
import { freePort } from './ports.ts';
import { placeServer, startSite, type Ground, type Site } from './server.ts';

/** Every broker that a whole system is tested with. */
export const BROKERS = ['embedded', 'mosquitto'] as const;
export type BrokerName = (typeof BROKERS)[number];

/** False: a program is missing, and the suites of this broker are skipped and counted. */
export function canRun(broker: BrokerName): boolean {
  return broker === 'embedded' || !(isMissing('mosquitto') || isMissing('pkill'));
}

/** A site, and its broker where that is a process of its own: the embedded one lives and dies with the server. */
export interface SiteOn extends Site {
  readonly external?: Mosquitto;
}

/** Like `startSite`, with this broker; `args` as there. An external broker runs when this resolves. */
export async function startSiteOn(
  ground: Ground,
  broker: BrokerName,
  args: readonly string[],
): Promise<SiteOn> {
  if (broker === 'embedded') return startSite(ground, args);
  const { external, start } = await prepareSiteOn(ground, args);
  await external.start();
  return { ...(await start()), external };
}

/**
 * A site whose Mosquitto does not run yet. `start`: starts the server, any number of times. `untold`: the server has
 * no means to tell the broker of revocations.
 */
export async function prepareSiteOn(
  ground: Ground,
  args: readonly string[] = [],
  environment: NodeJS.ProcessEnv = {},
  untold?: 'untold',
): Promise<{ external: Mosquitto; start: () => Promise<Site> }> {
  await placeServer(ground);
  const external = await prepareMosquitto(ground);
  const ways = untold === undefined ? external.args : ['--broker', external.url];
  const port = args.includes('--https-port') ? [] : ['--https-port', String(await freePort())];
  const again = [...args, ...port, ...ways];
  return { external, start: () => startSite(ground, again, environment) };
}
