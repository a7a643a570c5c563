/** What the key service knows of an identity, and how an identity ends (P 8, 10.8). */
import type { PublicPems } from '@srup/node';
import { identityText, type Clock, type Identity, type SuiteName } from '@srup/protocol';
import type { Enrolment, IdentityDirectory } from '../peers/directory.ts';
import type { Store } from '../store/port.ts';
import { revokeCertificates } from './certificates.ts';
import { addKeyEvent } from './events.ts';
import { answer, refuse, toBase64, type Answer } from './faults.ts';
import { findRow, isExpired } from './identities.ts';
import { C2_TYPE } from './requests.ts';
import type { KeyServiceTables } from './tables.ts';

/** The suite of a server's key when the question names none: that of the published clients. */
const INTEROP_SUITE: SuiteName = 'rsa-sha256';

export interface Directory extends IdentityDirectory {
  /** Base64 of the PEM of an identity's key. A server has one key for each suite; `suite` is rsa-sha256 by default. */
  keyOf(identity: string, suite?: SuiteName): Promise<Answer<string>>;
  typeOf(identity: string): Promise<Answer<string>>;
  isC2(identity: string): Promise<boolean>;
}

export interface DirectoryOptions {
  /** Identity of the C2 server, as text. */
  readonly server: string;
  readonly serverKeys: Readonly<Record<SuiteName, PublicPems>>;
}

export interface DirectoryPorts {
  readonly store: Store<KeyServiceTables>;
  readonly clock: Clock;
  /** Publishes the revocation list. */
  readonly publish: () => Promise<void>;
  /** Ends the sessions of an identity at the broker. */
  readonly endSessions: (id: Identity) => Promise<void>;
}

export function createDirectory({ server, serverKeys }: DirectoryOptions, ports: DirectoryPorts): Directory {
  const { store, clock, publish, endSessions } = ports;

  async function keyOf(identity: string, suite?: SuiteName): Promise<Answer<string>> {
    if (identity === server) return answer(toBase64(serverKeys[suite ?? INTEROP_SUITE].signing));
    const row = await findRow(store.read, identity);
    if (row?.state === 'revoked') return refuse('gone', `the identity ${identity} was revoked (P 10.8)`);
    const isProven = row?.state === 'validated' || row?.state === 'certified';
    if (!isProven || isExpired(row, clock.now()) || (suite ?? row.suite) !== row.suite) return NOT_FOUND;
    return answer(toBase64(row.public_pem));
  }

  async function typeOf(identity: string): Promise<Answer<string>> {
    if (identity === server) return answer(C2_TYPE);
    const row = await findRow(store.read, identity);
    return row === undefined || isExpired(row, clock.now()) ? NOT_FOUND : answer(row.type);
  }

  async function isC2(identity: string): Promise<boolean> {
    if (identity === server) return true;
    const row = await findRow(store.read, identity);
    return row?.type === C2_TYPE && row.state !== 'revoked' && !isExpired(row, clock.now());
  }

  async function find(id: Identity): Promise<Enrolment | undefined> {
    const row = await findRow(store.read, identityText(id));
    if (row === undefined || isExpired(row, clock.now()) || row.public_pem === '') return undefined;
    const { type, suite, public_pem: publicPem, seal_pem: sealPem, state } = row;
    return { id, type, suite, publicPem, state, ...(sealPem !== null && { sealPem }) };
  }

  return {
    keyOf,
    typeOf,
    isC2,
    find,
    // Committed first: when a later part fails, the next call does the rest.
    revoke: async (id) => {
      const isKnown = await revokeIdentity(store, id, clock.now());
      if (!isKnown) return;
      await publish();
      await endSessions(id);
    },
  };
}

/** Resolves to false when the identity is not known. */
function revokeIdentity(store: Store<KeyServiceTables>, id: Identity, at: number): Promise<boolean> {
  const device = identityText(id);
  return store.commit(async (write) => {
    const before = await findRow(write, device);
    if (before === undefined) return false;
    await write
      .updateTable('identities')
      .set({ state: 'revoked', expires_at: null })
      .where('id', '=', device)
      .execute();
    if (before.state !== 'revoked') {
      await addKeyEvent(write, { kind: 'identity', at, device, body: { change: 'revoked' } });
    }
    await revokeCertificates(write, id, at);
    return true;
  });
}

const NOT_FOUND = refuse('not-found', 'no such identity has proven its key here');
