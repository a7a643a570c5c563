/** The key service (P 8): a device makes its identity and keys itself; the service vouches for the public part. */
import type { KeySet, PublicPems, Secret } from '@srup/node';
import {
  identityText,
  type Caller,
  type Clock,
  type Identity,
  type Random,
  type SuiteName,
} from '@srup/protocol';
import { PROGRAM } from '../api/callers.ts';
import type { Authority } from '../authority/authority.ts';
import type { BrokerControl } from '../broker/control.ts';
import { createCodes, hasUse, type EnrolmentCodes } from './codes.ts';
import { createDirectory, type Directory } from './directory.ts';
import { createProving, type Proving } from './enrolment/prove.ts';
import { createRegistering, type Registering } from './enrolment/register.ts';
import { createKeyEvents, type KeyEvents } from './events.ts';
import { isOpen, setOpen } from './opening.ts';
import type { Registry } from './registry.ts';

export interface KeyServiceOptions {
  readonly serverId: Identity;
  /** Public keys of the C2 server: all that the service knows of it. */
  readonly serverKeys: Readonly<Record<SuiteName, PublicPems>>;
  /** The service's own keys. */
  readonly keys: Readonly<Record<SuiteName, KeySet>>;
  /** Only a device with an enrolment code can register (P 8.4). */
  readonly requireCode: boolean;
  /** The token with which further C2 servers can register (P 8); without it none can. */
  readonly c2Token?: Secret;
}

export interface KeyServicePorts {
  readonly registry: Registry;
  readonly authority: Authority;
  /**
   * `url` is what devices learn. `follow` gets each new revocation list. `end` is called after an identity was revoked
   * and the list made, and again with the next `revoke` when it failed.
   */
  readonly broker: Pick<BrokerControl, 'url' | 'follow' | 'end'>;
  readonly clock: Clock;
  readonly random: Random;
}

export interface KeyService extends Directory, Registering, Proving {
  status(): Promise<{ active: boolean; identity: string; broker: string }>;
  /** Opens or closes the service for registrations; what is registered goes on. The choice survives a restart. */
  setOpen(isOpen: boolean, by?: Caller): Promise<void>;
  /** What the audit trail does not have yet. */
  readonly events: KeyEvents;
  readonly codes: EnrolmentCodes;
  /** Would the code let a device of this type register now? */
  acceptsCode(code: string, type: string): Promise<boolean>;
  /** Gives the broker what is revoked: a revocation can be stored although it failed. */
  refresh(): Promise<void>;
}

/**
 * Makes the key service. Whoever opened the registry closes it.
 *
 * @example
 * const service = createKeyService(
 *   { serverId, serverKeys, keys, requireCode: true },
 *   { registry, authority, broker, clock, random },
 * );
 * await app.register(keyServiceRoutes(service), { prefix: '/KeyEx' });
 */
export function createKeyService(options: KeyServiceOptions, ports: KeyServicePorts): KeyService {
  const { registry, authority, broker, clock, random } = ports;
  const { store, lists } = registry;
  const server = identityText(options.serverId);

  /** The broker gets the newest list, whichever change made it. */
  async function publish(): Promise<void> {
    if (await lists.publish()) broker.follow(lists.newest());
  }

  const enrolment = { store, authority, brokerUrl: broker.url, clock, publish };
  return {
    ...createRegistering({ ...options, server }, enrolment),
    ...createProving({ ...options, server }, enrolment),
    ...createDirectory(
      { server, serverKeys: options.serverKeys },
      { store, clock, publish, endSessions: (id) => broker.end(id) },
    ),
    status: async () => ({ active: await isOpen(store.read), identity: server, broker: broker.url }),
    setOpen: (wanted, by = PROGRAM) => setOpen(store, wanted, clock.now(), by),
    events: createKeyEvents(store),
    codes: createCodes(store, clock, random),
    acceptsCode: (code, type) => hasUse(store.read, code, type, clock.now()),
    refresh: publish,
  };
}
