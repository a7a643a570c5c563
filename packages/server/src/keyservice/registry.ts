/** What the key service keeps: identities, certificates, and the revocation list that follows from them. */
import { identityText, type Clock, type Identity, type Random } from '@srup/protocol';
import type { Authority } from '../authority/authority.ts';
import { openStore, type StorePlace } from '../store/open.ts';
import type { ConnectionState, Store } from '../store/port.ts';
import { findRevoked } from './certificates.ts';
import { findRow } from './identities.ts';
import { openRevocationLists, type RevocationLists } from './revocation-list.ts';
import { keyServiceMigrations, type KeyServiceTables } from './tables.ts';

export interface Registry {
  readonly store: Store<KeyServiceTables>;
  readonly lists: RevocationLists;
  /** May this identity connect to the broker: is it certified and not revoked? */
  isAllowed(id: Identity): Promise<boolean>;
  close(): Promise<void>;
}

export interface RegistryOptions {
  /** Where the revocation list is; it exists, and only its owner can enter it. */
  readonly folder: string;
  /** The database of the key service. */
  readonly database: StorePlace;
  /** As `StoreOptions` has it. */
  readonly isKnown?: boolean;
}

export interface RegistryPorts {
  readonly authority: Authority;
  readonly clock: Clock;
  readonly random: Random;
  /** Tells a person that the database is away, or back. */
  readonly tell?: (what: string) => void;
  readonly onConnection?: (state: ConnectionState) => void;
}

/**
 * Opens the database of the key service, and brings the revocation list up to date. A broker can start with it; the key
 * service is made from both.
 *
 * @example
 * const registry = await openRegistry({ folder: vault.keyService.folder, database }, { authority, clock, random });
 * const { crl } = registry.lists.newest();
 */
export async function openRegistry(
  { folder, database, isKnown }: RegistryOptions,
  { authority, clock, random, tell, onConnection }: RegistryPorts,
): Promise<Registry> {
  const store = await openStore<KeyServiceTables>(database, keyServiceMigrations, {
    isKnown,
    tell,
    onConnection,
  });
  const find = (endsAfter: number) => findRevoked(store.read, endsAfter);
  const lists = await openRevocationLists(folder, { findRevoked: find, authority, clock, random }).catch(
    async (error: unknown) => {
      await store.close();
      throw error;
    },
  );
  return {
    store,
    lists,
    isAllowed: async (id) => (await findRow(store.read, identityText(id)))?.state === 'certified',
    close: () => store.close(),
  };
}
