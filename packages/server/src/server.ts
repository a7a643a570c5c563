/** The composition root: it makes every part, in order, and closes them in the opposite order. */
import { setTimeout as pause } from 'node:timers/promises';
import type { MqttLink } from '@srup/node';
import { identityText } from '@srup/protocol';
import { openFleetParts, type FleetParts } from './compose/fleet.ts';
import { layGround, type Ground } from './compose/ground.ts';
import { createApp } from './http/app.ts';
import { keyServiceRoutes } from './keyservice/http/routes.ts';
import type { RunningServer, ServerOptions } from './options.ts';
import { readDatabaseNote } from './store/databases.ts';
import { StoreFault } from './store/fault.ts';
import { shownPlace } from './store/open.ts';
import { VERSION } from './version.ts';

/** Between two starts, when the database failed meanwhile, in milliseconds. */
const AGAIN_MS = 1_000;

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
  for (;;) {
    const stack = new AsyncDisposableStack();
    try {
      const server = await start(options, stack);
      return { ...server, close: () => closeAll(stack, options) };
    } catch (error) {
      await closeAll(stack, options).catch((fault: unknown) => {
        options.log.error({ err: fault }, 'a part that had been started could not be closed');
      });
      if (!(await isWorthAnotherStart(error, options))) throw error;
      options.log.warn(
        `the database failed while the server started, which begins anew: ${(error as Error).message}`,
      );
      await pause(AGAIN_MS);
    }
  }
}

/** A database that is elsewhere is waited for, whenever it goes: between two statements of the start, too. */
async function isWorthAnotherStart(error: unknown, options: ServerOptions): Promise<boolean> {
  if (!(error instanceof StoreFault)) return false;
  return options.database !== undefined || (await readDatabaseNote(options.folder)) !== undefined;
}

/**
 * Closes every part, even when some fail: the lock of the folder is among them. Rejects with the first fault, and logs
 * those that came after it.
 */
async function closeAll(stack: AsyncDisposableStack, { log }: ServerOptions): Promise<void> {
  try {
    await stack.disposeAsync();
  } catch (fault) {
    const [first, ...later] = faultsOf(fault);
    for (const err of later) log.error({ err }, 'another part could not be closed');
    throw first;
  }
}

/** The faults of a disposal in the order in which they came: each one suppresses those before it. */
function faultsOf(fault: unknown): readonly unknown[] {
  return fault instanceof SuppressedError ? [...faultsOf(fault.suppressed), fault.error] : [fault];
}

async function start(
  options: ServerOptions,
  stack: AsyncDisposableStack,
): Promise<Omit<RunningServer, 'close'>> {
  const ground = await layGround(options, stack);
  const { vault, listener, broker, keys } = ground;
  const parts = await openFleetParts(options, ground, stack);
  const app = await createApp({
    ...parts,
    ...{ listener, keys, log: options.log, version: VERSION },
    keyService: keyServiceRoutes(keys),
    withApi: options.api ?? true,
    broker: () => broker.view(),
    setupToken: vault.server.setupToken,
  });
  stack.defer(() => app.close());
  listener.serve(app);
  stack.defer(keepFresh(options, ground, parts.link));
  await parts.fleet.start();
  return describe(ground, parts);
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

function describe(
  { vault, url, broker, keys, databases }: Ground,
  { fleet, orders, artifacts, tokens }: FleetParts,
): Omit<RunningServer, 'close'> {
  const { authority } = vault.keyService;
  const { id, setupToken } = vault.server;
  const { core } = databases;
  return {
    url,
    brokerUrl: broker.url,
    serverId: identityText(id),
    caPem: authority.caPem,
    caFingerprint: authority.fingerprint,
    ...(core.kind === 'postgres' && {
      database: { url: shownPlace(core), isPlain: core.transport === 'plain' },
    }),
    ...(setupToken.shown === undefined ? {} : { setupToken: setupToken.shown.reveal() }),
    ...{ fleet, orders, artifacts, tokens },
    codes: keys.codes,
  };
}
