/** What the tests of the server stand on. A test names what it uses; it is made then, and taken down afterwards. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { manualClock } from '@srup/protocol/testing';
import { test as base } from 'vitest';
import type { StorePlace } from '../src/store/open.ts';
import type { Store } from '../src/store/port.ts';
import { coreMigrations } from '../src/store/schema/migrations.ts';
import type { CoreTables } from '../src/store/schema/tables.ts';
import { makeAuthority } from './authority.ts';
import { openStore, placeFor } from './database.ts';
import { directoryOf, makeDevice, makeServer, type TestDevice } from './fleet/device.ts';
import { acceptAll, join, openWorld, type World, type WorldOptions } from './fleet/world.ts';
import { collectLog } from './log.ts';

/** When the manual clock begins. */
export const START = Date.UTC(2026, 10, 21);

/**
 * `test` with these fixtures.
 *
 * @example
 * test('a device reports a value', async ({ world, joined }) => {
 *   await report(world, joined, 7);
 * });
 */
export const test = base
  /** An empty folder of the test's own. */
  .extend('folder', async ({ task }, { onCleanup }): Promise<string> => {
    const folder = await mkdtemp(joinPath(tmpdir(), `srup-server-${task.id}-`));
    onCleanup(() => rm(folder, { recursive: true, force: true }));
    return folder;
  })
  .extend('clock', () => manualClock(START))
  .extend('log', () => collectLog())
  /** Where the server's database is; on SQLite it is the file `server.db` of `folder`. */
  .extend('database', ({ folder }, { onCleanup }): Promise<StorePlace> => placeFor(folder, onCleanup))
  /** The server's database, empty. */
  .extend('store', async ({ database }, { onCleanup }): Promise<Store<CoreTables>> => {
    const store = await openStore<CoreTables>(database, coreMigrations);
    onCleanup(() => store.close());
    return store;
  })
  .extend('authority', { scope: 'worker' }, () => makeAuthority())
  /** The server's identity and keys. Making them takes long, so that many tests share them. */
  .extend('server', { scope: 'worker' }, () => makeServer())
  /** Certified by the key service; it has not asked to join. */
  .extend('device', ({ server }) => makeDevice(server))
  /** A second one like `device`. */
  .extend('other', ({ server }) => makeDevice(server))
  /** A key service that vouches for `device` and `other`. */
  .extend('directory', ({ device, other }) => directoryOf(device, other))
  /** Opens a world that differs from `world`. */
  .extend('openWorld', ({ server, directory }, { onCleanup }) => {
    const opened: World[] = [];
    onCleanup(async () => {
      for (let world = opened.pop(); world !== undefined; world = opened.pop()) await world.close();
    });
    return async (options: Partial<WorldOptions> = {}): Promise<World> => {
      const world = await openWorld({ server, directory, ...options });
      opened.push(world);
      return world;
    };
  })
  /** How `world` differs from the usual. */
  .extend('worldOptions', (): Partial<WorldOptions> => ({}))
  .extend('world', ({ openWorld: open, worldOptions }): Promise<World> => open(worldOptions))
  /** What `device` calls itself when it joins. */
  .extend('identification', () => 'srup-agent/0.1.0 test')
  /** `device`, which has joined `world` and said what it is. Every device that asks is let in. */
  .extend('joined', async ({ world, device, identification }): Promise<TestDevice> => {
    await acceptAll(world);
    await join(world, device, identification);
    return device;
  })
  /** `other`, which has joined `world` too. */
  .extend('alsoJoined', async ({ world, other, joined: _first }): Promise<TestDevice> => {
    await join(world, other);
    return other;
  })
  /** Opens a world that `device` and `other` have joined. */
  .extend('openJoined', ({ openWorld: open, device, other }) => {
    return async (options: Partial<WorldOptions> = {}): Promise<World> => {
      const world = await open(options);
      await acceptAll(world);
      await join(world, device);
      await join(world, other);
      return world;
    };
  });
