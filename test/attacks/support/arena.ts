/** Where an attack takes place: a real server with its broker, real devices, and an operator. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { AgentConfigInput } from '@srup/agent';
import type { ServerCommand } from '@srup/protocol';
import { openApi, type Api } from '../../../packages/cli/src/ctl/api.ts';
import { loadLogin } from '../../../packages/cli/src/ctl/profile.ts';
import { prepareSiteOn, type BrokerName } from '../../support/brokers.ts';
import { launchDevice, TYPE, type Device, type DeviceState } from '../../support/device.ts';
import type { Mosquitto } from '../../support/mosquitto.ts';
import { newGround, startSite, type Ground, type Site } from '../../support/server.ts';
import { until } from '../../support/wait.ts';
import { takingAway } from './mutant.ts';
import type { MutationName } from './mutations.ts';

export interface ArenaOptions {
  /** What the server lacks; the embedded broker is a part of it. */
  readonly without?: readonly MutationName[];
  /** The broker gives everybody everything: who is connected hears all, and speaks on any topic. */
  readonly lawless?: boolean;
  /** More arguments of `srup up`. */
  readonly args?: readonly string[];
  readonly ground?: Ground;
}

/** The rules of the embedded broker, each as what is left when it is gone. */
const LAWLESS: readonly MutationName[] = ['brokerPublish', 'brokerSubscribe', 'brokerReceive'];
/** The same for Mosquitto. */
const LAWLESS_ACL = 'pattern readwrite #\n';

export interface Exchange {
  readonly kind: string;
  readonly phase: string;
  readonly token: string;
  readonly status?: number;
}

export interface Arena {
  readonly ground: Ground;
  readonly broker: BrokerName;
  site: Site;
  api: Api;
  readonly external: Mosquitto | undefined;
  /** PEM of the CA that signed everybody's certificate. */
  readonly ca: string;
  readonly serverId: string;
  /** A real agent that has joined. `checks`: what it lacks. */
  joined(name: string, config?: Partial<AgentConfigInput>, checks?: readonly MutationName[]): Promise<Victim>;
  /** Stops the server and starts it again, without these checks. */
  restart(checks?: readonly MutationName[]): Promise<void>;
  /** Gives a command to one device; the exchange's token. */
  command(device: string, command: Command): Promise<string>;
  upload(content: Uint8Array | string, digest: string): Promise<void>;
  exchange(device: string, token: string): Promise<Exchange>;
  /** Waits until the exchange is in one of these phases. */
  phase(device: string, token: string, ...phases: readonly string[]): Promise<Exchange>;
  device(id: string): Promise<DeviceState>;
  /** Refused messages at the server, by code. */
  refusals(): Promise<Readonly<Record<string, number>>>;
}

type Command =
  | Extract<ServerCommand, { kind: 'action' }>
  | { readonly kind: 'update'; readonly digest: string; readonly activate: boolean }
  | { readonly kind: 'data'; readonly dataId: string; readonly value: { type: 'text'; text: string } }
  | { readonly kind: 'identify' | 'terminate' | 'deregister' };

export interface Victim {
  readonly id: string;
  readonly device: Device;
}

/** Anybody may register and join. Cleared with its ground. */
export async function openArena(broker: BrokerName, options: ArenaOptions = {}): Promise<Arena> {
  const ground = options.ground ?? (await newGround());
  const args = ['--open-registration', ...(options.args ?? [])];
  const laws = options.lawless === true && broker === 'embedded' ? LAWLESS : [];
  const environment = takingAway(...laws, ...(options.without ?? []));
  let external: Mosquitto | undefined;
  let site: Site;
  if (broker === 'embedded') {
    site = await startSite(ground, args, environment);
  } else {
    const prepared = await prepareSiteOn(ground, args, environment);
    external = prepared.external;
    if (options.lawless === true) await writeFile(join(ground.folder, 'mosquitto', 'acl'), LAWLESS_ACL);
    await external.start();
    site = await prepared.start();
  }
  const login = await loadLogin('default', { SRUP_CONFIG: join(ground.folder, 'ctl.json') });
  const server = join(ground.folder, 'server');
  const api = openApi(login);
  ground.later(() => {
    arena.api.close();
  });
  const arena: Arena = {
    ground,
    broker,
    site,
    api,
    external,
    ca: await readFile(join(server, 'authority', 'ca.pem'), 'utf8'),
    serverId: (await readFile(join(server, 'server', 'identity'), 'utf8')).trim(),
    joined: async (name, config, checks = []) => {
      const device = await launchDevice(ground, arena.site, name, config, takingAway(...checks));
      const id = await device.id();
      await until(`${name} has joined`, async () => {
        const found = await arena.api.find<DeviceState>(`/devices/${id}`);
        return found?.standing === 'joined' && found.identification !== undefined;
      }).catch((error: unknown) => {
        throw new Error(
          `${(error as Error).message}\n${device.process.stderr()}\n${arena.site.process.stderr()}`,
        );
      });
      return { id, device };
    },
    restart: async (checks = []) => {
      await arena.site.process.stop();
      arena.site = await startSite(ground, arena.site.sameAgain, takingAway(...laws, ...checks));
    },
    command: async (device, command) => {
      const [receipt] = await arena.api.send<{ token: string; ok: boolean }[]>('POST', '/commands', {
        devices: [device],
        command,
      });
      if (receipt?.ok !== true) throw new Error(`the command was not taken: ${JSON.stringify(receipt)}`);
      return receipt.token;
    },
    upload: async (content, digest) => {
      const bytes = Buffer.from(content);
      await arena.api.put('/artifacts', { name: 'file', digest }, Readable.from([bytes]), bytes.length);
    },
    exchange: async (device, token) =>
      (await arena.api.get<{ exchange: Exchange }>(`/devices/${device}/exchanges/${token}`)).exchange,
    phase: async (device, token, ...phases) => {
      let last = '';
      return until(`the exchange is ${phases.join(' or ')}`, async () => {
        const exchange = await arena.exchange(device, token);
        last = JSON.stringify(exchange);
        return phases.includes(exchange.phase) ? exchange : undefined;
      }).catch((error: unknown) => {
        throw new Error(`${(error as Error).message}; it is ${last}`);
      });
    },
    device: (id) => arena.api.get(`/devices/${id}`),
    refusals: () => arena.api.get('/refusals/counts'),
  };
  await api.send('PUT', `/join-policy/${TYPE}`, { verdict: 'accept' });
  return arena;
}
