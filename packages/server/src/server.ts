/** The composition root: it makes every part, in order, and closes them in the opposite order. */
import { join } from 'node:path';
import { connectMqtt, importSignKey, realDelay, systemClock, systemRandom, type MqttLink } from '@srup/node';
import { identityText, mqttClientId, type SignKey, type SuiteName } from '@srup/protocol';
import { openTokens, type ApiTokens, type TokenTables } from './access/tokens.ts';
import { certificateHosts, embeddedUrl, httpsUrl, loopbackUrl } from './addresses.ts';
import { openArtifacts, type Artifacts } from './artifacts/artifacts.ts';
import type { ArtifactTables } from './artifacts/tables.ts';
import { openTrail, type Trail } from './audit/trail.ts';
import { startBroker, type BrokerOptions, type BrokerPorts } from './broker/broker.ts';
import type { BrokerControl } from './broker/control.ts';
import { controlEmbedded } from './broker/embedded.ts';
import { controlExternal } from './broker/external/external.ts';
import { createFleet, type RunningFleet } from './fleet.ts';
import { createApp } from './http/app.ts';
import { listenHttps, type HttpsListener } from './http/listener.ts';
import { keyServiceRoutes } from './keyservice/http/routes.ts';
import { openRegistry, type Registry } from './keyservice/registry.ts';
import { createKeyService, type KeyService } from './keyservice/service.ts';
import { createMeter, type CountingMeter } from './metrics/meter.ts';
import { createMetrics, type Metrics } from './metrics/metrics.ts';
import { createReadiness } from './metrics/readiness.ts';
import {
  DEFAULT_HTTPS_PORT,
  DEFAULT_LISTEN,
  DEFAULT_MQTTS_PORT,
  type RunningServer,
  type ServerOptions,
} from './options.ts';
import { createOrders, type Orders } from './orders/orders.ts';
import type { Store } from './store/port.ts';
import { serverMigrations } from './store/server-migrations.ts';
import { openSqlite } from './store/sqlite/open.ts';
import type { FleetTables } from './store/tables.ts';
import { readSessionsPassword } from './vault/broker-access.ts';
import { openVault, type Vault } from './vault/vault.ts';
import { VERSION } from './version.ts';

/** Bounds of the wait before the server connects to its broker again: one client is no burden, and a fleet waits for it. */
const BROKER_BACKOFF = { leastMs: 500, mostMs: 5_000 };

type Tables = FleetTables & ArtifactTables & TokenTables;

const clock = systemClock;
const random = systemRandom;

/**
 * Starts the whole server: key service, broker, C2 core and HTTPS. Rejects with an error that says what to do when it
 * can't: the folder is in use (`FolderLockedError`), damaged (`VaultError`, `StoreError`), or a port is taken
 * (`BrokerError`, or the error of the operating system). Whatever had been started is closed again then.
 *
 * @example
 * const server = await startServer({ folder: '/var/lib/srup', hosts: ['fleet.example.org'], log: pino() });
 * console.log(server.url); // https://fleet.example.org:8443
 * await server.close();
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const stack = new AsyncDisposableStack();
  try {
    const server = await start(options, stack);
    // It closes every part, even when one of them fails: the folder's lock is among them.
    return { ...server, close: () => stack.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync().catch((fault: unknown) => {
      options.log.error({ err: fault }, 'a part that had been started could not be closed');
    });
    throw error;
  }
}

async function start(
  options: ServerOptions,
  stack: AsyncDisposableStack,
): Promise<Omit<RunningServer, 'close'>> {
  const ground = await layGround(options, stack);
  const { vault, listener, broker, keys } = ground;
  const core = await openCore(options, ground, stack);
  const app = await createApp({
    ...core,
    ...{ listener, keys, log: options.log, version: VERSION },
    keyService: keyServiceRoutes(keys),
    withApi: options.api ?? true,
    broker: () => broker.view(),
    setupToken: vault.server.setupToken,
  });
  stack.defer(() => app.close());
  listener.serve(app);
  stack.defer(keepFresh(options, ground, core.link));
  await core.fleet.start();
  return describe(ground, core);
}

/** What stands before the C2 core: the folder, both ports, the broker and the key service. */
interface Ground {
  readonly vault: Vault;
  readonly listener: HttpsListener;
  /** Where people and devices find the HTTPS port. */
  readonly url: string;
  readonly broker: BrokerControl;
  readonly keys: KeyService;
}

async function layGround(options: ServerOptions, stack: AsyncDisposableStack): Promise<Ground> {
  const vault = stack.adopt(await openFolder(options), (part) => part.close());
  const { authority, folder, keys: serviceKeys } = vault.keyService;
  const listener = await listenHttps({
    host: options.listen ?? DEFAULT_LISTEN,
    port: options.httpsPort ?? DEFAULT_HTTPS_PORT,
    credential: vault.credentials.tls(),
  });
  stack.defer(() => listener.close());
  const registry = await openRegistry({ folder }, { authority, clock, random });
  stack.defer(() => registry.close());
  const broker = await openBroker(options, vault, registry);
  stack.defer(() => broker.close());
  const { id: serverId, publicKeys: serverKeys } = vault.server;
  const keys = createKeyService(
    { serverId, serverKeys, keys: serviceKeys, requireCode: options.requireEnrolmentCode ?? true },
    { registry, authority, broker, clock, random },
  );
  return { vault, listener, url: httpsUrl(options, listener.port), broker, keys };
}

function openFolder(options: ServerOptions): Promise<Vault> {
  const { folder, certificateMs, log } = options;
  return openVault(
    {
      folder,
      names: certificateHosts(options),
      ...(certificateMs !== undefined && { certificateMs }),
    },
    {
      clock,
      random,
      warn: (message) => {
        log.warn(message);
      },
    },
  );
}

/** The broker has the newest revocation list before anybody else can use it. */
async function openBroker(options: ServerOptions, vault: Vault, registry: Registry): Promise<BrokerControl> {
  if (options.broker === undefined) return startEmbedded(options, vault, registry);
  const { url, ca = vault.keyService.authority.caPem, reload, sessionsUrl } = options.broker;
  const control = controlExternal(
    {
      ...{ url, ca },
      ...(reload !== undefined && { reload }),
      ...(sessionsUrl !== undefined && {
        sessions: { url: sessionsUrl, password: await readSessionsPassword(options.folder) },
      }),
    },
    { credential: () => vault.credentials.mqtt(), clock, random, delay: realDelay, log: options.log },
  );
  control.follow(registry.lists.newest());
  return control;
}

async function startEmbedded(
  options: ServerOptions,
  vault: Vault,
  registry: Registry,
): Promise<BrokerControl> {
  const { listen: host = DEFAULT_LISTEN, mqttsPort: port = DEFAULT_MQTTS_PORT, log } = options;
  const { crl } = registry.lists.newest();
  const tls: BrokerOptions['tls'] =
    options.insecurePlainMqtt === true
      ? 'insecure-plain'
      : { credential: vault.credentials.tls(), ca: vault.keyService.authority.caPem, crl };
  const ports: BrokerPorts = {
    isAllowed: (id) => registry.isAllowed(id),
    clock,
    onRefusal: ({ code, identity, detail }) => {
      log.info({ code, sender: identity === undefined ? undefined : identityText(identity) }, detail);
    },
    warn: (message) => {
      log.warn(message);
    },
  };
  const broker = await startBroker({ host, port, serverId: vault.server.id, tls }, ports);
  return controlEmbedded(broker, {
    url: embeddedUrl(options, broker.port),
    serverUrl: loopbackUrl(options, broker.port),
    startedAt: clock.now(),
  });
}

/** The C2 core, with what it is shown by. */
interface Core {
  readonly fleet: RunningFleet;
  readonly link: MqttLink;
  readonly trail: Trail;
  readonly artifacts: Artifacts;
  readonly orders: Orders;
  readonly tokens: ApiTokens;
  readonly metrics: Metrics;
  readonly readiness: ReturnType<typeof createReadiness>;
}

async function openCore(options: ServerOptions, ground: Ground, stack: AsyncDisposableStack): Promise<Core> {
  const { vault, url, broker, keys } = ground;
  const meter = createMeter();
  const store = await openStore(options, meter);
  stack.defer(() => store.close());
  const signing = signKeys(vault);
  const trail = await openAudit(options, ground, store, signing);
  stack.defer(() => trail.close());
  const link = connectToBroker(options, vault, broker);
  stack.defer(() => link.close());
  const fleet = await createFleet({
    ...{ store, link, meter, clock, random },
    serverId: vault.server.id,
    keys: signing,
    directory: keys,
    log: options.log,
  });
  stack.defer(() => fleet.stop());
  const isConnected = (): boolean => fleet.isConnected();
  const artifacts = await openArtifacts(join(options.folder, 'artifacts'), store, clock);
  return {
    ...{ fleet, link, trail, artifacts },
    orders: createOrders({ fleet, artifacts, command: fleet.commandFor, random }, { server: url }),
    tokens: openTokens(store, clock),
    metrics: watch(ground, store, meter, trail, isConnected),
    readiness: createReadiness({ store, clock, isConnected, askKeyService: () => keys.status() }),
  };
}

function openStore({ folder }: ServerOptions, meter: CountingMeter): Promise<Store<Tables>> {
  return openSqlite<Tables>(join(folder, 'server', 'fleet.db'), serverMigrations, {
    onCommitted: (ms) => {
      meter.committed(ms / 1000);
    },
  });
}

function openAudit(
  { log, witnesses = [] }: ServerOptions,
  { vault, keys }: Ground,
  store: Store<Tables>,
  signing: Readonly<Record<SuiteName, SignKey>>,
): Promise<Trail> {
  const { server, keyService } = vault;
  return openTrail({
    store,
    server: identityText(server.id),
    publicKeys: server.publicKeys,
    signKey: signing.ed25519,
    caFingerprint: keyService.authority.fingerprint,
    version: VERSION,
    keyEvents: keys.events,
    witnesses,
    ...{ clock, random },
    log,
  });
}

/** The server is a client of its broker like any other, so that the broker can be anywhere. */
function connectToBroker(options: ServerOptions, vault: Vault, broker: BrokerControl): MqttLink {
  return connectMqtt({
    url: broker.serverUrl,
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

function watch(
  { vault, broker }: Ground,
  { read }: Store<Tables>,
  meter: CountingMeter,
  trail: Trail,
  isConnected: () => boolean,
): Metrics {
  return createMetrics(
    { version: VERSION },
    {
      ...{ meter, store: read, clock, isConnected },
      broker: () => broker.stats(),
      certificates: () => vault.certificateEnds(),
      audit: () => trail.status(),
    },
  );
}

/** Gives renewed certificates to all that use them. Returns how to stop. */
function keepFresh({ log }: ServerOptions, { vault, listener, broker }: Ground, link: MqttLink): () => void {
  return vault.keepFresh((renewed) => {
    log.info(renewed, 'certificates of this server were renewed');
    if (renewed.mqtt) link.drop('the certificate was renewed');
    if (!renewed.tls) return;
    listener.setTls(vault.credentials.tls());
    broker.renew(vault.credentials.tls());
  });
}

function signKeys({ server }: Vault): Readonly<Record<SuiteName, SignKey>> {
  const entries = Object.entries(server.keys).map(([suite, { signing }]) => [
    suite,
    importSignKey(signing.privatePem),
  ]);
  return Object.fromEntries(entries) as Record<SuiteName, SignKey>;
}

function describe(
  { vault, url, broker, keys }: Ground,
  { fleet, artifacts, tokens }: Core,
): Omit<RunningServer, 'close'> {
  const { authority } = vault.keyService;
  const { id, setupToken } = vault.server;
  return {
    url,
    brokerUrl: broker.url,
    serverId: identityText(id),
    caPem: authority.caPem,
    caFingerprint: authority.fingerprint,
    ...(setupToken.shown === undefined ? {} : { setupToken: setupToken.shown.reveal() }),
    ...{ fleet, artifacts, tokens },
    codes: keys.codes,
  };
}
