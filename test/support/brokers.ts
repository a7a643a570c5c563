import { isMissing } from '../../scripts/system-programs.ts';
import { hasDatabase } from './database.ts';
import { prepareMosquitto, type Mosquitto } from './mosquitto.ts';
import { freePort } from './ports.ts';
import { placeServer, startSite, type Ground, type Site } from './server.ts';

/** The brokers with which whole systems are tested. */
export const BROKERS = ['embedded', 'mosquitto'] as const;
export type BrokerName = (typeof BROKERS)[number];

/** Whether the programs of this broker, and of the database, are installed. If not, its suites are skipped and counted. */
export function canRun(broker: BrokerName): boolean {
  return hasDatabase() && (broker === 'embedded' || !(isMissing('mosquitto') || isMissing('pkill')));
}

/** A site, and its broker if that is a process of its own. */
export interface SiteOn extends Site {
  readonly external?: Mosquitto;
}

/** Starts a site with this broker, which runs when this resolves. `args` are those of `startSite`. */
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
 * Prepares a site whose Mosquitto does not run yet. `start` starts the server, any number of times. With `untold` the
 * server can't notify the broker of revocations.
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
