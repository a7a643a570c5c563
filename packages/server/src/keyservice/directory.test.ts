import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeys, newIdentity, systemClock, systemRandom } from '@srup/node';
import { identityText } from '@srup/protocol';
import { openStore, placeFor } from '../../test/database.ts';
import { directoryOf, makeDevice, makeServer } from '../../test/fleet/device.ts';
import { directorySuite } from '../../test/keyservice/directory-suite.ts';
import type { Enrolment } from '../peers/directory.ts';
import { createDirectory } from './directory.ts';
import { keyServiceMigrations, type KeyServiceTables } from './tables.ts';

directorySuite('the key service', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'srup-directory-'));
  const removals: (() => Promise<void>)[] = [];
  const place = await placeFor(folder, (remove) => removals.push(remove), 'keys');
  const store = await openStore<KeyServiceTables>(place, keyServiceMigrations);
  const { signing, sealing } = await generateKeys('ed25519');
  const enrolment: Enrolment = {
    id: newIdentity(systemRandom),
    type: 'pump',
    suite: 'ed25519',
    publicPem: signing.publicPem,
    sealPem: sealing?.publicPem ?? '',
    state: 'certified',
  };
  const row = {
    id: identityText(enrolment.id),
    type: enrolment.type,
    suite: enrolment.suite,
    public_pem: enrolment.publicPem,
    seal_pem: enrolment.sealPem ?? null,
    state: enrolment.state,
    registered_at: 1,
    expires_at: null,
  };
  await store.commit((write) => write.insertInto('identities').values(row).execute());
  return {
    directory: createDirectory(
      { server: 'b9d077e223834cf6', serverKeys: {} as never },
      { store, clock: systemClock, publish: async () => undefined, endSessions: async () => undefined },
    ),
    enrolment,
    close: async () => {
      await store.close();
      for (const remove of removals) await remove();
      await rm(folder, { recursive: true });
    },
  };
});

directorySuite('the tests of the C2 core', async () => {
  const device = await makeDevice(await makeServer());
  return { directory: directoryOf(device), enrolment: device.enrolment, close: async () => undefined };
});
