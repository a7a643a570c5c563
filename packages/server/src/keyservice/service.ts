/** The key service (P 8): a device makes its identity and keys itself; the service vouches for the public part. */
import { join } from 'node:path';
import { identityText } from '@srup/protocol';
import { PROGRAM } from '../api/callers.ts';
import { openSqlite } from '../store/sqlite/open.ts';
import { openCertificates } from './certificates.ts';
import { hasUse, openCodes } from './codes.ts';
import type { Inside, KeyService, KeyServiceOptions } from './contract.ts';
import { createDirectory } from './directory.ts';
import { createEnrolment } from './enrolment.ts';
import { openKeyEvents } from './events.ts';
import { isOpen, setOpen } from './opening.ts';
import { keyServiceMigrations, type KeyServiceTables } from './tables.ts';

/** Opens the key service's database, brings the CRL up to date, and is ready. */
export async function openKeyService(options: KeyServiceOptions): Promise<KeyService> {
  const { folder, authority, clock, random, onCrl } = options;
  const server = identityText(options.serverId);
  const store = await openSqlite<KeyServiceTables>(join(folder, 'identities.sqlite'), keyServiceMigrations);
  const certificates = await openCertificates({ store: store.read, folder, authority, clock, random, onCrl });
  const inside: Inside = { options, store, certificates, server };
  return {
    ...createEnrolment(inside),
    ...createDirectory(inside),
    status: async () => ({ active: await isOpen(store.read), identity: server, broker: options.brokerUrl() }),
    setOpen: (wanted, by = PROGRAM) => setOpen(store, wanted, clock.now(), by),
    events: openKeyEvents(store),
    codes: openCodes(store, clock, random),
    acceptsCode: (code, type) => hasUse(store.read, code, type, clock.now()),
    crl: () => certificates.crl(),
    canary: () => certificates.canary(),
    close: () => store.close(),
  };
}
