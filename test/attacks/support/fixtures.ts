import type { BrokerName } from '../../support/brokers.ts';
import { test as base } from '../../support/fixtures.ts';
import { openArena, type Arena, type ArenaOptions } from './arena.ts';

export const test = base
  /** Opens an arena that the tests of a file share. */
  .extend(
    'openArena',
    { scope: 'file' },
    ({ makeGround }) =>
      async (broker: BrokerName, options?: ArenaOptions): Promise<Arena> =>
        openArena(await makeGround(), broker, options),
  );
