/** The second part of the server: the C2 core with its database, its audit trail and its link to the broker. */
import { join } from 'node:path';
import {
  connectMqtt,
  importSignKey,
  realDelay as delay,
  systemClock as clock,
  systemRandom as random,
  type MqttLink,
} from '@srup/node';
import { identityText, mqttClientId, type SignKey, type SuiteName } from '@srup/protocol';
import { openTokens, type ApiTokens } from '../access/tokens.ts';
import { openArtifacts, type Artifacts } from '../artifacts/artifacts.ts';
import { openTrail, type Trail } from '../audit/trail.ts';
import { findRestore } from '../backup/note.ts';
import type { BrokerControl } from '../broker/control.ts';
import { claimStore, createFleet, type RunningFleet } from '../fleet.ts';
import type { CountingMeter } from '../metrics/meter.ts';
import { createMetrics, type Metrics } from '../metrics/metrics.ts';
import { createReadiness } from '../metrics/readiness.ts';
import type { ServerOptions } from '../options.ts';
import { createOrders, type Orders } from '../orders/orders.ts';
import { noteDatabases } from '../store/databases.ts';
import { openStore } from '../store/open.ts';
import type { Store } from '../store/port.ts';
import type { Vault } from '../vault/vault.ts';
import { VERSION } from '../version.ts';
import type { Ground } from './ground.ts';
import { coreMigrations } from '../store/schema/migrations.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Bounds of the wait before the server connects to its broker again: one client is no burden, and a fleet waits for it. */
const BROKER_BACKOFF = { leastMs: 500, mostMs: 5_000 };

/** The C2 core, with what it is shown by. */
export interface FleetParts {
  readonly fleet: RunningFleet;
  readonly link: MqttLink;
  readonly trail: Trail;
  readonly artifacts: Artifacts;
  readonly orders: Orders;
  readonly tokens: ApiTokens;
  readonly metrics: Metrics;
  readonly readiness: ReturnType<typeof createReadiness>;
}

/** Makes these parts; the core does not run yet. Each part is closed with the stack. */
export async function openFleetParts(
  options: ServerOptions,
  ground: Ground,
  stack: AsyncDisposableStack,
): Promise<FleetParts> {
  const { vault, url, broker, keys, databases, meter } = ground;
  let failedAt: number | undefined;
  const store = await openCore(options, ground, () => {
    failedAt = clock.monotonic();
  });
  stack.defer(() => store.close());
  // Before anything is written: an entry in the audit trail of another server would stay there for ever.
  await claimStore(store, vault.server.id);
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
  await noteDatabases(options.folder, databases, identityText(vault.server.id));
  const isConnected = (): boolean => fleet.isConnected();
  const artifacts = await openArtifacts({ folder: join(options.folder, 'artifacts') }, { store, clock });
  return {
    ...{ fleet, link, trail, artifacts },
    orders: createOrders({ fleet, artifacts, command: fleet.commandInOrder, random }, { server: url }),
    tokens: openTokens(store, clock),
    metrics: watch(ground, store, meter, trail, isConnected),
    readiness: createReadiness({
      ...{ store, clock, delay, isConnected },
      failedAt: () => failedAt,
      askKeyService: () => keys.status(),
    }),
  };
}

function openCore(
  { log }: ServerOptions,
  { databases: { core, isKnown }, listener, meter }: Ground,
  onFailed: () => void,
): Promise<Store<CoreTables>> {
  return openStore<CoreTables>(core, coreMigrations, {
    isKnown,
    onFailed,
    onCommitted: (ms) => {
      meter.committed(ms / 1000);
    },
    onFault: (fault) => {
      log.error({ err: fault }, 'a listener of the store failed');
    },
    tell: (what) => {
      log.warn(what);
      listener.tellDatabaseAway();
    },
    onConnection: (state) => {
      meter.connection('core', state);
    },
  });
}

function openAudit(
  { log, witnesses = [] }: ServerOptions,
  { vault, keys }: Ground,
  store: Store<CoreTables>,
  signing: Readonly<Record<SuiteName, SignKey>>,
): Promise<Trail> {
  const { server, keyService } = vault;
  return openTrail(
    {
      server: identityText(server.id),
      publicKeys: server.publicKeys,
      caFingerprint: keyService.authority.fingerprint,
      version: VERSION,
      witnesses,
    },
    {
      ...{ store, clock, random, log },
      signKey: signing.ed25519,
      keyEvents: keys.events,
      findRestore: () => findRestore(store.read),
    },
  );
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
  { vault, broker, databases }: Ground,
  { read }: Store<CoreTables>,
  meter: CountingMeter,
  trail: Trail,
  isConnected: () => boolean,
): Metrics {
  return createMetrics(
    { version: VERSION, database: databases.core.kind },
    {
      ...{ meter, store: read, clock, isConnected },
      broker: () => broker.stats(),
      certificates: () => vault.certificateEnds(),
      audit: () => trail.status(),
    },
  );
}

function signKeys({ server }: Vault): Readonly<Record<SuiteName, SignKey>> {
  const entries = Object.entries(server.keys).map(([suite, { signing }]) => [
    suite,
    importSignKey(signing.privatePem),
  ]);
  return Object.fromEntries(entries) as Record<SuiteName, SignKey>;
}
