/** The composition root: every part is made here, in order, and closed in the opposite one. */
import type { AddressInfo } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import { join } from 'node:path';
import { connectMqtt, importSignKey, systemClock, systemRandom, type MqttLink } from '@srup/node';
import { identityText, mqttClientId, type SignKey, type SuiteName } from '@srup/protocol';
import { openArtifacts } from './artifacts/artifacts.ts';
import type { ArtifactTables } from './artifacts/tables.ts';
import { openTrail, type Trail } from './audit/trail.ts';
import { startBroker, type RunningBroker } from './broker/broker.ts';
import { controlBroker, openExternal, type BrokerControl } from './broker/control.ts';
import { createFleet } from './fleet.ts';
import { createApp } from './http/app.ts';
import { createOrders } from './orders/orders.ts';
import { openTokens, type TokenTables } from './access/tokens.ts';
import { keyServiceRoutes } from './keyservice/routes.ts';
import type { KeyService } from './keyservice/contract.ts';
import { openKeyService } from './keyservice/service.ts';
import { createMetrics } from './metrics/metrics.ts';
import { serverMigrations } from './store/server-migrations.ts';
import {
  DEFAULT_HTTPS_PORT,
  DEFAULT_LISTEN,
  DEFAULT_MQTTS_PORT,
  type RunningServer,
  type ServerOptions,
} from './options.ts';
import { createReadiness } from './metrics/readiness.ts';
import { openSqlite } from './store/sqlite/open.ts';
import type { FleetTables } from './store/tables.ts';
import { openVault, type SuiteKeys, type Vault } from './vault/vault.ts';
import { VERSION } from './version.ts';
import type { Store } from './store/port.ts';

/** One client is no herd that a broker has to fear, and a whole fleet waits for it. Milliseconds. */
const BROKER_BACKOFF = { leastMs: 500, mostMs: 5_000 };

type Tables = FleetTables & ArtifactTables & TokenTables;

/** Starts everything. What had been started is closed again when a later part fails. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const closing: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    const faults: unknown[] = [];
    for (let step = closing.pop(); step !== undefined; step = closing.pop()) {
      // One that fails must not keep the others open: the folder's lock is among them.
      await Promise.resolve(step()).catch((fault: unknown) => faults.push(fault));
    }
    if (faults.length > 0) throw faults[0];
  };
  try {
    return { ...(await start(options, closing)), close };
  } catch (error) {
    await close().catch((fault: unknown) => {
      options.log.error({ err: fault }, 'what had been started could not all be closed');
    });
    throw error;
  }
}

async function start(
  options: ServerOptions,
  closing: (() => unknown)[],
): Promise<Omit<RunningServer, 'close'>> {
  const { folder, log } = options;
  const clock = systemClock;
  const random = systemRandom;
  const [host = 'localhost'] = options.hosts ?? [];
  const vault = await openVault({
    folder,
    names: [...(options.hosts ?? []), ...ownName(options.listen)],
    ...(options.certificateMs !== undefined && { certificateMs: options.certificateMs }),
    clock,
    random,
    warn: (message) => {
      log.warn(message);
    },
  });
  closing.push(() => vault.close());

  // The broker and the key service need each other: devices are told the port that the broker really has.
  const where = { broker: options.broker?.url ?? '' };
  const embedded: { broker?: RunningBroker } = {};
  const external = await openExternal(options, vault, clock);
  const broker = controlBroker(external, embedded, () => where.broker, options, clock.now());
  closing.push(() => {
    broker.stop();
  });
  const keys = await openKeys(options, vault, () => where.broker, broker);
  closing.push(() => keys.close());
  broker.setCrl(keys.crl(), keys.canary());
  if (options.broker === undefined) {
    const own = await startEmbedded(options, vault, keys);
    closing.push(() => own.close());
    embedded.broker = own;
    where.broker =
      options.publicBrokerUrl ??
      `${options.insecurePlainMqtt === true ? 'mqtt' : 'mqtts'}://${bracketed(host)}:${own.port}`;
  }

  const metrics = createMetrics(VERSION);
  const store = await openSqlite<Tables>(join(folder, 'server', 'fleet.db'), serverMigrations, {
    onCommitted: (ms) => {
      metrics.meter.committed(ms / 1000);
    },
  });
  closing.push(() => store.close());
  const signing = signKeys(vault.server.keys);
  const trail = await openAudit(options, vault, store, signing, keys);
  closing.push(() => trail.close());
  const { authority } = vault.keyService;
  const link = connectToBroker(options, vault, embedded.broker);
  closing.push(() => link.close());
  const { id } = vault.server;
  const fleet = await createFleet({
    store,
    serverId: id,
    keys: signing,
    directory: keys,
    link,
    clock,
    random,
    log,
    meter: metrics.meter,
  });
  closing.push(() => fleet.stop());
  const isConnected = () => fleet.isConnected();
  metrics.watch({
    store: store.read,
    clock,
    isConnected,
    broker: () => embedded.broker?.stats(),
    certificates: () => vault.certificateEnds(),
    audit: () => trail.status(),
  });

  const artifacts = await openArtifacts(join(folder, 'artifacts'), store, clock);
  const tokens = openTokens(store, clock);
  const { setupToken } = vault.server;
  const place = { url: '' };
  const orders = createOrders(
    { fleet, artifacts, command: fleet.commandFor, random },
    {
      get server() {
        return place.url;
      },
    },
  );
  const tls = vault.credentials.tls();
  const app = await createApp({
    tls: { key: tls.key.reveal(), chain: tls.chain },
    keyService: keyServiceRoutes(keys),
    log,
    version: VERSION,
    withApi: options.api ?? true,
    metrics,
    readiness: createReadiness({ store, clock, isConnected, askKeyService: () => keys.status() }),
    fleet,
    orders,
    artifacts,
    tokens,
    keys,
    trail,
    broker: () => broker.view(),
    setupToken,
  });
  closing.push(() => app.close());
  await app.listen({ host: options.listen ?? DEFAULT_LISTEN, port: options.httpsPort ?? DEFAULT_HTTPS_PORT });
  place.url = options.publicUrl ?? `https://${bracketed(host)}:${portOf(app.addresses())}`;
  closing.push(
    vault.keepFresh((renewed) => {
      log.info(renewed, 'certificates of this server were renewed');
      if (renewed.mqtt) link.drop('the certificate was renewed');
      if (!renewed.tls) return;
      const { key, chain } = vault.credentials.tls();
      (app.server as unknown as TlsServer).setSecureContext({
        key: key.reveal(),
        cert: chain,
        minVersion: 'TLSv1.2',
      });
      broker.renewed(vault.credentials.tls());
    }),
  );
  await fleet.start();

  return {
    url: place.url,
    brokerUrl: where.broker,
    serverId: identityText(id),
    caPem: authority.caPem,
    caFingerprint: authority.fingerprint,
    ...(setupToken.shown === undefined ? {} : { setupToken: setupToken.shown.reveal() }),
    fleet,
    artifacts,
    codes: keys.codes,
    tokens,
  };
}

function openKeys(
  options: ServerOptions,
  vault: Vault,
  brokerUrl: () => string,
  broker: BrokerControl,
): Promise<KeyService> {
  return openKeyService({
    folder: vault.keyService.folder,
    serverId: vault.server.id,
    serverKeys: vault.server.publicKeys,
    keys: vault.keyService.keys,
    authority: vault.keyService.authority,
    brokerUrl,
    requireCode: options.requireEnrolmentCode ?? true,
    clock: systemClock,
    random: systemRandom,
    onCrl: (crl, canary) => {
      broker.setCrl(crl, canary);
    },
    onRevoked: (id) => broker.end(id),
  });
}

function openAudit(
  { log, witnesses = [] }: ServerOptions,
  { server, keyService }: Vault,
  store: Store<FleetTables>,
  signing: Readonly<Record<SuiteName, SignKey>>,
  keys: KeyService,
): Promise<Trail> {
  return openTrail({
    store,
    server: identityText(server.id),
    publicKeys: server.publicKeys,
    signKey: signing.ed25519,
    caFingerprint: keyService.authority.fingerprint,
    version: VERSION,
    keyEvents: keys.events,
    witnesses,
    ...{ clock: systemClock, random: systemRandom },
    log,
  });
}

function startEmbedded(options: ServerOptions, vault: Vault, keys: KeyService): Promise<RunningBroker> {
  const { log } = options;
  const shared = {
    host: options.listen ?? DEFAULT_LISTEN,
    port: options.mqttsPort ?? DEFAULT_MQTTS_PORT,
    serverId: vault.server.id,
    clock: systemClock,
    isAllowed: (id: bigint) => keys.isAllowed(id),
    onRefusal: ({ code, identity, detail }: { code: string; identity?: bigint; detail: string }) => {
      log.info({ code, sender: identity === undefined ? undefined : identityText(identity) }, detail);
    },
    warn: (message: string) => {
      log.warn(message);
    },
  };
  if (options.insecurePlainMqtt === true) return startBroker({ ...shared, insecurePlainMqtt: true });
  const tls = { credential: vault.credentials.tls(), ca: vault.keyService.authority.caPem, crl: keys.crl() };
  return startBroker({ ...shared, tls });
}

/** The server is a client of its broker like any other, so that the broker can be anywhere. */
function connectToBroker(options: ServerOptions, vault: Vault, broker: RunningBroker | undefined): MqttLink {
  const scheme = options.insecurePlainMqtt === true ? 'mqtt' : 'mqtts';
  return connectMqtt({
    url:
      broker === undefined
        ? (options.broker?.url ?? '')
        : `${scheme}://${loopback(options.listen)}:${broker.port}`,
    insecurePlain: options.insecurePlainMqtt === true,
    clientId: mqttClientId(vault.server.id),
    ca: options.broker?.ca ?? vault.keyService.authority.caPem,
    // Read at each connection: a renewed certificate is used from the next one on.
    get cert() {
      return vault.credentials.mqtt().chain;
    },
    get key() {
      return vault.credentials.mqtt().key;
    },
    clean: false,
    backoff: BROKER_BACKOFF,
  });
}

function signKeys(keys: SuiteKeys): Readonly<Record<SuiteName, SignKey>> {
  const entries = Object.entries(keys).map(([suite, { signing }]) => [
    suite,
    importSignKey(signing.privatePem),
  ]);
  return Object.fromEntries(entries) as Record<SuiteName, SignKey>;
}

/** The server reaches its own broker by the address that it listens on, if that is one. */
function ownName(listen: string = DEFAULT_LISTEN): string[] {
  return listen === '0.0.0.0' || listen === '::' ? [] : [listen];
}

/** Where this machine reaches what listens on an address. */
function loopback(listen: string = DEFAULT_LISTEN): string {
  return listen === '0.0.0.0' ? '127.0.0.1' : listen === '::' ? '[::1]' : bracketed(listen);
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function portOf([address]: readonly (string | AddressInfo)[]): number {
  return typeof address === 'object' ? address.port : 0;
}
