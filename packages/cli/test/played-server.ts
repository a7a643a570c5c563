/**
 * The server's real HTTP API over TLS, with a fleet that the test plays: so rare and hostile states can be seen
 * without waiting for devices to get into them. What real devices do is in test/e2e.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { systemClock, systemRandom } from '@srup/node';
import { openArtifacts } from '../../server/src/artifacts/artifacts.ts';
import { openAuthority } from '../../server/src/authority/authority.ts';
import { makeCaCertificate } from '../../server/src/authority/ca.ts';
import { makeTlsKey } from '../../server/src/authority/keys.ts';
import { createApp } from '../../server/src/http/app.ts';
import { listenHttps } from '../../server/src/http/listener.ts';
import { createOrders } from '../../server/src/orders/orders.ts';
import { openTokens } from '../../server/src/access/tokens.ts';
import type { Role } from '../../server/src/api/vocabulary.ts';
import { openSqlite } from '../../server/src/store/sqlite/open.ts';
import { playFleet, playKeyService, playTrail, type PlayedFleet } from './played-fleet.ts';
import { coreMigrations } from '../../server/src/store/schema/migrations.ts';
import type { CoreTables } from '../../server/src/store/schema/tables.ts';

export const SETUP_TOKEN = 'the-one-set-up-token';

export interface PlayedServer extends PlayedFleet {
  readonly url: string;
  readonly folder: string;
  readonly caFile: string;
  readonly caFingerprint: string;
  /** An API token for tests that don't log in. */
  token(role: Role): Promise<string>;
  /** Every connection breaks, and nobody can connect until `mend`. */
  breakDown(): Promise<void>;
  mend(): Promise<void>;
  close(): Promise<void>;
}

export async function startPlayedServer(): Promise<PlayedServer> {
  const folder = await mkdtemp(join(tmpdir(), 'srup-played-'));
  const caKey = await makeTlsKey();
  const caPem = makeCaCertificate(caKey, 'test', systemClock, systemRandom);
  const authority = openAuthority(caKey, caPem, systemClock, systemRandom);
  const credential = await authority.issueServer(['localhost', '127.0.0.1']);
  const caFile = join(folder, 'ca.pem');
  await writeFile(caFile, caPem);
  const migrations = { ...coreMigrations, ...coreMigrations, ...coreMigrations };
  const store = await openSqlite<CoreTables>(join(folder, 'test.db'), migrations);
  const tokens = openTokens(store, systemClock);
  const artifacts = await openArtifacts({ folder: join(folder, 'artifacts') }, { store, clock: systemClock });
  const played = playFleet();
  let isSetUp = false;
  const serve = async (port: number) => {
    const listener = await listenHttps({ host: '127.0.0.1', port, credential });
    const app = await createApp({
      listener,
      keyService: async () => undefined,
      log: pino({ level: 'silent' }),
      tokens,
      setupToken: {
        matches: (text) => !isSetUp && text === SETUP_TOKEN,
        consume: async () => (isSetUp = true),
      },
      fleet: played.fleet,
      orders: createOrders(
        {
          fleet: played.fleet,
          artifacts,
          command: (devices, command, by) => played.fleet.command(devices, command, by),
          random: systemRandom,
        },
        { server: 'https://localhost' },
      ),
      artifacts,
      broker: () => ({
        kind: 'embedded',
        url: 'mqtts://localhost:8883',
        revocation: { state: 'current', since: 0 },
        endsSessions: true,
      }),
      keys: playKeyService(),
      trail: playTrail(),
      withApi: true,
      readiness: async () => [],
      metrics: { contentType: 'text/plain', text: async () => '' },
      version: '0.0.0',
    });
    listener.serve(app);
    return { app, port: listener.port };
  };

  let { app, port } = await serve(0);
  return Object.assign(played, {
    url: `https://localhost:${port}`,
    folder,
    caFile,
    caFingerprint: authority.fingerprint,
    token: async (role: Role) => (await tokens.create(role, role)).secret,
    breakDown: () => app.close(),
    mend: async () => {
      ({ app, port } = await serve(port));
    },
    close: async () => {
      await app.close();
      await store.close();
      await rm(folder, { recursive: true });
    },
  });
}
