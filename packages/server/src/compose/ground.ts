/** The first part of the server: all that stands before the C2 core. */
import { realDelay, systemClock as clock, systemRandom as random } from '@srup/node';
import { identityText } from '@srup/protocol';
import { startBroker, type BrokerOptions, type BrokerPorts } from '../broker/broker.ts';
import type { BrokerControl } from '../broker/control.ts';
import { controlEmbedded } from '../broker/embedded.ts';
import { controlExternal } from '../broker/external/external.ts';
import { listenHttps, type HttpsListener } from '../http/listener.ts';
import { openRegistry, type Registry } from '../keyservice/registry.ts';
import { createKeyService, type KeyService } from '../keyservice/service.ts';
import { createMeter, type CountingMeter } from '../metrics/meter.ts';
import { DEFAULT_HTTPS_PORT, DEFAULT_LISTEN, DEFAULT_MQTTS_PORT, type ServerOptions } from '../options.ts';
import { chooseDatabases, type ChosenDatabases, type Databases } from '../store/databases.ts';
import { readSessionsPassword } from '../vault/broker-access.ts';
import { findExposed } from '../vault/files.ts';
import { openVault, type Vault } from '../vault/vault.ts';
import { certificateHosts, embeddedUrl, httpsUrl, loopbackUrl } from './addresses.ts';

/** What stands before the C2 core: the folder, both ports, the broker and the key service. */
export interface Ground {
  readonly vault: Vault;
  readonly listener: HttpsListener;
  readonly databases: ChosenDatabases;
  /** Where people and devices find the HTTPS port. */
  readonly url: string;
  readonly broker: BrokerControl;
  readonly keys: KeyService;
  /** Counts from the first moment on. */
  readonly meter: CountingMeter;
}

/** Makes the ground; each part is closed with the stack. */
export async function layGround(options: ServerOptions, stack: AsyncDisposableStack): Promise<Ground> {
  const vault = stack.adopt(await openFolder(options), (part) => part.close());
  const { authority, folder, keys: serviceKeys } = vault.keyService;
  const listener = await listenHttps({
    host: options.listen ?? DEFAULT_LISTEN,
    port: options.httpsPort ?? DEFAULT_HTTPS_PORT,
    credential: vault.credentials.tls(),
  });
  stack.defer(() => listener.close());
  const databases = await chooseDatabases(options.folder, options.database, options.databasePassword);
  await warnOfExposed(databases, options.log);
  const meter = createMeter();
  const tell = (what: string): void => {
    options.log.warn(what);
    listener.tellDatabaseAway();
  };
  const registry = await openRegistry(
    { folder, database: databases.keys, isKnown: databases.isKnown },
    {
      ...{ authority, clock, random, tell },
      onConnection: (state) => {
        meter.connection('keys', state);
      },
    },
  );
  stack.defer(() => registry.close());
  const broker = await openBroker(options, vault, registry);
  stack.defer(() => broker.close());
  const { id: serverId, publicKeys: serverKeys } = vault.server;
  const keys = createKeyService(
    { serverId, serverKeys, keys: serviceKeys, requireCode: options.requireEnrolmentCode ?? true },
    { registry, authority, broker, clock, random },
  );
  registry.store.listen('recovered', () => {
    keys.refresh().catch((fault: unknown) => {
      options.log.error(
        { err: fault },
        'the revocation list could not be made again; the next one tells all',
      );
    });
  });
  return { vault, listener, databases, url: httpsUrl(options, listener.port), broker, keys, meter };
}

/** Warns of a password that others can read. */
async function warnOfExposed({ note }: Databases, log: ServerOptions['log']): Promise<void> {
  const file = note?.passwordFile;
  if (file === undefined || (await findExposed(file, [])).length === 0) return;
  log.warn(
    `${file}, with the password of the database, can be read or written by others than its owner. Run: chmod go= '${file}'`,
  );
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
