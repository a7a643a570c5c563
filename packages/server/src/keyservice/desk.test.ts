import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newIdentity, systemClock, systemRandom } from '@srup/node';
import { makeAuthority } from '../../test/authority.ts';
import { placeFor } from '../../test/database.ts';
import { deskSuite } from '../../test/keyservice/desk-suite.ts';
import { openRegistry } from './registry.ts';
import { createKeyService } from './service.ts';

deskSuite('the key service', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'srup-desk-'));
  const system = { clock: systemClock, random: systemRandom };
  const authority = await makeAuthority();
  const removals: (() => Promise<void>)[] = [];
  const database = await placeFor(folder, (remove) => removals.push(remove), 'keys');
  const registry = await openRegistry({ folder, database }, { authority, ...system });
  const broker = {
    url: 'mqtts://broker.example:8883',
    follow: () => undefined,
    end: async () => undefined,
  };
  return {
    desk: createKeyService(
      { serverId: newIdentity(systemRandom), serverKeys: {} as never, keys: {} as never, requireCode: true },
      { registry, authority, broker, ...system },
    ),
    close: async () => {
      await registry.close();
      for (const remove of removals) await remove();
      await rm(folder, { recursive: true });
    },
  };
});
