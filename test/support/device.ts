import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentConfigInput } from '@srup/agent';
import { startSrup, type Srup } from './processes.ts';
import type { Ground, Site } from './server.ts';
import { until } from './wait.ts';

/** A real `srup agent` process with a folder of its own. */
export interface Device {
  readonly home: string;
  /** Its id, once it has registered. */
  id(): Promise<string>;
  /** The public SRUP key in its folder. */
  publicPem(): Promise<string>;
  process: Srup;
  /** Starts it again after `process.stop()`, in this environment or in the previous one. */
  restart(environment?: NodeJS.ProcessEnv): void;
}

/** The device type of tests, by default. */
export const TYPE = 'test';

/** New software counts as healthy soon, so that tests need not wait long. */
const QUICK_HEALTH = { aliveSeconds: 0.5, deadlineSeconds: 10 };

/** Starts a device of the test's type, which the join policy accepts, with an enrolment code. */
export async function startDevice(
  ground: Ground,
  site: Site,
  name: string,
  config: Partial<AgentConfigInput> = {},
): Promise<Device> {
  await letJoin(site);
  const { secret } = await site.api((api) =>
    api.send<{ secret: string }>('POST', '/enrolment-codes', { type: TYPE, uses: 1 }),
  );
  return launchDevice(ground, site, name, { enrolmentCode: secret, ...config });
}

/** Sets the join policy of a type to accept. */
export async function letJoin(site: Pick<Site, 'api'>, type = TYPE): Promise<void> {
  await site.api((api) => api.send('PUT', `/join-policy/${type}`, { verdict: 'accept' }));
}

/** Starts a device that the site already accepts. */
export async function launchDevice(
  ground: Ground,
  site: Pick<Site, 'url' | 'caFingerprint'>,
  name: string,
  config: Partial<AgentConfigInput> = {},
  environment: NodeJS.ProcessEnv = {},
  args: readonly string[] = [],
): Promise<Device> {
  const home = join(ground.folder, name);
  await mkdir(home, { mode: 0o700 });
  const whole: AgentConfigInput = {
    url: site.url,
    caFingerprint: site.caFingerprint,
    type: TYPE,
    health: QUICK_HEALTH,
    ...config,
  };
  await writeFile(join(home, 'agent.json'), JSON.stringify(whole), { mode: 0o600 });
  const start = (env = environment): Srup => startSrup(['agent', '--home', home, ...args], env);
  const device: Device = {
    home,
    process: start(),
    restart: (env) => {
      device.process = start(env);
    },
    publicPem: () => readFile(join(home, 'keys', 'signing.pub.pem'), 'utf8'),
    id: () =>
      until(`${name} has registered`, async () => {
        if (device.process.child.exitCode !== null)
          throw new Error(`srup agent ended:\n${device.process.stderr()}`);
        const text = await readFile(join(home, 'identity.json'), 'utf8').catch(() => undefined);
        return text === undefined ? undefined : (JSON.parse(text) as { id: string }).id;
      }),
  };
  ground.later(() => device.process.stop());
  return device;
}

export interface DeviceState {
  readonly id: string;
  readonly standing: string;
  readonly identification?: string;
  readonly running?: { readonly digest: string; readonly token: string };
}

/** Waits until the server's view of the device `holds`. */
export async function untilDevice(
  site: Site,
  device: Device,
  what: string,
  holds: (state: DeviceState) => boolean,
): Promise<DeviceState> {
  const id = await device.id();
  let last: DeviceState | undefined;
  return until(`the device ${id} is ${what}`, async () => {
    last = await site.look<DeviceState>(`/devices/${id}`);
    return last !== undefined && holds(last) ? last : undefined;
  }).catch((error: unknown) => {
    const said = [
      JSON.stringify(last),
      'device:',
      device.process.stderr(),
      'server:',
      site.process.stderr(),
    ].join('\n');
    throw new Error(`${(error as Error).message}\n${said}`);
  });
}

export async function untilJoined(site: Site, device: Device): Promise<DeviceState> {
  return untilDevice(site, device, 'joined', ({ standing, identification }) => {
    return standing === 'joined' && identification !== undefined;
  });
}
