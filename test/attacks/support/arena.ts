/** The scene of an attack: a real server with its broker, real devices, and an operator. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { askAgent, homeAt, type AgentConfigInput, type AgentStatus } from '@srup/agent';
import { Secret } from '@srup/node';
import type { ServerCommand, SuiteName } from '@srup/protocol';
import { openApi, type Api } from '../../../packages/cli/src/client/api.ts';
import { loadLogin } from '../../../packages/cli/src/client/profile.ts';
import { prepareSiteOn, type BrokerName } from '../../support/brokers.ts';
import { startCuttingProxy, type CuttingProxy } from '../../support/cutting-proxy.ts';
import { launchDevice, TYPE, type Device, type DeviceState } from '../../support/device.ts';
import type { Mosquitto } from '../../support/mosquitto.ts';
import { freePort } from '../../support/ports.ts';
import { startSite, type Ground, type Site } from '../../support/server.ts';
import { until } from '../../support/wait.ts';
import { takingAway } from './mutant.ts';
import type { MutationName } from './mutations.ts';

export interface ArenaOptions {
  /** The broker has no rules: a client receives everything, publishes on any topic, and chooses its client id. */
  readonly lawless?: boolean;
  /** Devices reach the HTTPS port through `arena.front`, which can lead them elsewhere. */
  readonly front?: boolean;
  /** All clients reach the broker through `arena.wire`, which sees what passes; with the embedded broker, only devices do. */
  readonly onBytes?: (chunk: Buffer) => void;
  /** The broker also accepts MQTT without TLS, on `arena.plainPort`; the embedded one accepts nothing else. */
  readonly plain?: boolean;
  /** The broker does not learn of revocations: it has an old list, or asks nobody. */
  readonly unlisted?: boolean;
}

/** The rules of the embedded broker. */
const LAWS: readonly MutationName[] = [
  'brokerPublish',
  'brokerSubscribe',
  'brokerReceive',
  'brokerClientId',
  'brokerWill',
  'brokerRetain',
  'brokerWillMemory',
  'brokerRetainMemory',
];

/** Removes the same rules from Mosquitto: lines of its configuration, and the rules for topics. */
async function breakLaws(ground: Ground): Promise<void> {
  const folder = join(ground.folder, 'mosquitto');
  const config = join(folder, 'mosquitto.conf');
  const lines = (await readFile(config, 'utf8')).split('\n');
  const left = lines.filter((line) => !/^(use_username_as_clientid true|retain_available false)$/.test(line));
  if (left.length !== lines.length - 2) throw new Error(`${config} has other rules than expected`);
  await writeFile(config, left.filter((line) => !line.startsWith('max_packet_size ')).join('\n'));
  await writeFile(join(folder, 'acl'), 'pattern readwrite #\n');
}

/** Adds a listener to Mosquitto that accepts anybody. */
async function listenPlainly(ground: Ground): Promise<number> {
  const folder = join(ground.folder, 'mosquitto');
  const port = await freePort();
  const config = await readFile(join(folder, 'mosquitto.conf'), 'utf8');
  const anybody = config.replace('allow_anonymous false', 'allow_anonymous true');
  await writeFile(join(folder, 'mosquitto.conf'), `${anybody}\nlistener ${port} 127.0.0.1\n`);
  await writeFile(join(folder, 'acl'), 'topic readwrite #\npattern readwrite #\n');
  return port;
}

export type Counts = Readonly<Record<string, number>>;

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
  readonly front: CuttingProxy | undefined;
  readonly wire: CuttingProxy | undefined;
  /** Where the server itself listens for HTTPS. */
  readonly httpsPort: number;
  /** Where the broker itself listens. */
  readonly mqttsPort: number;
  readonly plainPort: number;
  /** PEM of the CA that signed everybody's certificate. */
  readonly ca: string;
  readonly serverId: string;
  /** Starts a real agent and waits until it has joined. `checks` are removed from it. */
  joined(name: string, config?: Partial<AgentConfigInput>, checks?: readonly MutationName[]): Promise<Victim>;
  /** Makes sure that the server lacks these checks and no others; restarts it if necessary. */
  lacking(...checks: readonly MutationName[]): Promise<void>;
  /** Gives a command to one device; resolves to the token of the exchange. */
  command(device: string, command: Command): Promise<string>;
  upload(content: Uint8Array | string, digest: string): Promise<void>;
  exchange(device: string, token: string): Promise<Exchange>;
  /** Waits until the exchange is in one of these phases. */
  phase(device: string, token: string, ...phases: readonly string[]): Promise<Exchange>;
  device(id: string): Promise<DeviceState>;
  /** Values of the DATA that the server accepted from a device under this id, oldest first. */
  data(device: string, dataId: string): Promise<unknown[]>;
  /** Refused messages at the server, by code. */
  refusals(): Promise<Counts>;
  /** Waits until `more` messages were refused since `before`. */
  refused(before: Counts, more: Counts): Promise<void>;
  /** The key with which the server signs, for an attacker who has stolen it. */
  serverKey(suite?: SuiteName): Promise<Secret>;
}

type Command =
  | Extract<ServerCommand, { kind: 'action' }>
  | { readonly kind: 'update'; readonly digest: string; readonly activate: boolean }
  | { readonly kind: 'data'; readonly dataId: string; readonly value: { type: 'text'; text: string } }
  | { readonly kind: 'identify' | 'terminate' | 'deregister' };

export interface Victim {
  readonly id: string;
  readonly device: Device;
  /** What the agent says of itself. */
  status(): Promise<AgentStatus>;
}

/** Opens an arena where any device can register and join. It ends with its ground. */
export async function openArena(
  ground: Ground,
  broker: BrokerName,
  options: ArenaOptions = {},
): Promise<Arena> {
  const httpsPort = await freePort();
  const front = options.front === true ? await startCuttingProxy(httpsPort) : undefined;
  ground.later(() => front?.close());
  const args = ['--open-registration', '--https-port', String(httpsPort)];
  if (front !== undefined) args.push('--public-url', `https://localhost:${front.port}`);
  const laws: MutationName[] = [];
  if (broker === 'embedded' && options.lawless === true) laws.push(...LAWS);
  if (broker === 'embedded' && options.unlisted === true) laws.push('brokerList', 'brokerQuestion');
  const environment = takingAway(...laws);
  let lacked: readonly MutationName[] = [];
  let mqttsPort = await freePort();
  let plainPort = mqttsPort;
  const wire = options.onBytes && (await startCuttingProxy(mqttsPort, options.onBytes));
  ground.later(() => wire?.close());
  const wireUrl = wire && `mqtts://localhost:${wire.port}`;
  let external: Mosquitto | undefined;
  let site: Site;
  if (broker === 'embedded') {
    args.push('--mqtts-port', String(mqttsPort));
    if (wireUrl !== undefined) args.push('--public-mqtts-url', wireUrl);
    if (options.plain === true) args.push('--insecure-plain-mqtt');
    site = await startSite(ground, args, environment);
  } else {
    const prepared = await prepareSiteOn(ground, args, environment);
    external = prepared.external;
    if (options.lawless === true) await breakLaws(ground);
    if (options.plain === true) plainPort = await listenPlainly(ground);
    mqttsPort = Number(new URL(external.url).port);
    await external.start();
    wire?.leadTo(mqttsPort);
    const isTold = options.unlisted !== true && wireUrl === undefined;
    const ways = isTold ? external.args : ['--broker', wireUrl ?? external.url];
    site = await startSite(ground, [...args, ...ways], environment);
  }
  const login = await loadLogin('default', { SRUP_CONFIG: join(ground.folder, 'ctl.json') });
  const server = join(ground.folder, 'server');
  const api = openApi({ ...login, url: `https://localhost:${httpsPort}` });
  ground.later(() => {
    arena.api.close();
  });
  const arena: Arena = {
    ground,
    broker,
    site,
    api,
    external,
    front,
    wire,
    httpsPort,
    mqttsPort,
    plainPort,
    ca: await readFile(join(server, 'authority', 'ca.pem'), 'utf8'),
    serverId: (await readFile(join(server, 'server', 'identity'), 'utf8')).trim(),
    joined: async (name, config, checks = []) => {
      front?.leadTo(httpsPort);
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
      const status = async () => (await askAgent(homeAt(device.home).socket, 'status'))?.value as AgentStatus;
      return { id, device, status };
    },
    lacking: async (...checks) => {
      if (checks.join() === lacked.join()) return;
      lacked = checks;
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
    data: async (device, dataId) => {
      const rows = await arena.api.list<{ value: unknown }>(`/devices/${device}/data`, { dataId });
      return rows.map(({ value }) => value).reverse();
    },
    refusals: () => arena.api.get('/refusals/counts'),
    refused: async (before, more) => {
      const codes = Object.keys(more);
      let last = '';
      await until(`these are refused: ${JSON.stringify(more)}`, async () => {
        const now = await arena.refusals();
        const found = codes.map((code) => (now[code] ?? 0) - (before[code] ?? 0));
        last = JSON.stringify(found);
        return codes.every((code, index) => found[index] === more[code]);
      }).catch((error: unknown) => {
        throw new Error(`${(error as Error).message}; it is ${last}`);
      });
    },
    serverKey: async (suite = 'ed25519') =>
      new Secret(await readFile(join(server, 'server', `${suite}.pem`), 'utf8')),
  };
  await api.send('PUT', `/join-policy/${TYPE}`, { verdict: 'accept' });
  return arena;
}
