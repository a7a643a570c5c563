/**
 * The server's folder: identity, keys and certificates. The first start makes what is missing, in an order in which a
 * crash at any moment leaves something that the next start completes. After that nothing of it is ever replaced
 * silently, because devices know it.
 *
 *   vault.json    the first start was completed
 *   server/       the C2 server: identity, a key file for each suite, its MQTT certificate, the hash of the set-up token
 *   key-service/  the key service, a trust role of its own: a key file for each suite, its database
 *   authority/    the CA
 *   tls/          the certificate of HTTPS and MQTTS
 */
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { lockFolder, makePrivateFolder, type PublicPems } from '@srup/node';
import type { Clock, Identity, Random, SuiteName } from '@srup/protocol';
import { CERTIFICATE_DAYS, type Authority, type Credential } from '../authority/authority.ts';
import { DAY_MS } from '../authority/ca.ts';
import { endWarning, readAuthority } from './authority.ts';
import { openCredentials, type Credentials, type Renewed } from './credentials.ts';
import { findExposed, prepareFolder, VaultError } from './files.ts';
import { publicPartsOf, readIdentity, readKeys, type SuiteKeys } from './keys.ts';
import { isComplete, markComplete } from './marker.ts';
import { certificateNames } from './names.ts';
import { keepFresh } from './renewal.ts';
import { openSetupToken, type SetupToken } from './setup-token.ts';

export const VAULT_FOLDERS = ['server', 'key-service', 'authority', 'tls'] as const;

export interface VaultOptions {
  /** The server's data folder; other parts may keep things beside the vault's own folders. */
  readonly folder: string;
  /** Host names and IP addresses by which devices reach the server; this machine's own are always added. */
  readonly names: readonly string[];
  /** The life of the certificates that are issued, in milliseconds; 365 days by default, and never more (P 8.3). */
  readonly certificateMs?: number;
}

export interface VaultPorts {
  readonly clock: Clock;
  readonly random: Random;
  /** Takes a message for the operator: what is wrong with the folder, and what to do. */
  readonly warn: (message: string) => void;
}

export interface Vault {
  readonly server: {
    readonly id: Identity;
    readonly keys: SuiteKeys;
    /** What the key service tells of the keys. */
    readonly publicKeys: Readonly<Record<SuiteName, PublicPems>>;
    readonly setupToken: SetupToken;
  };
  readonly keyService: {
    readonly folder: string;
    readonly keys: SuiteKeys;
    readonly authority: Authority;
  };
  readonly credentials: Credentials;
  /** When the server's certificates end, in ms since 1970. */
  certificateEnds(): Readonly<Record<'ca' | 'tls' | 'mqtt', number>>;
  /** Replaces the certificates that end soon, and says which. Returns how to stop. */
  keepFresh(onRenewed: (renewed: Renewed) => void): () => void;
  /** Unlocks the folder, so that another process can open it. */
  close(): Promise<void>;
}

/**
 * Opens the folder for this process alone, and makes in the first start what is missing. Throws `FolderLockedError`
 * when another process has it, or `VaultError` with what to do.
 *
 * @example
 * const vault = await openVault(
 *   { folder: '/var/lib/srup', names: ['fleet.example.org'] },
 *   { clock: systemClock, random: systemRandom, warn: console.warn },
 * );
 * await vault.close();
 */
export async function openVault(options: VaultOptions, ports: VaultPorts): Promise<Vault> {
  const { folder } = options;
  const names = certificateNames(options.names);
  for (const path of await findExposed(folder, VAULT_FOLDERS)) {
    ports.warn(
      `${path} can be read or written by others than its owner. Run: chmod go= '${path}'. If somebody else uses this machine, assume that they know the keys in it.`,
    );
  }
  await makePrivateFolder(folder);
  const lock = await lockFolder(folder);
  try {
    return await openLocked({ ...options, names }, ports, () => lock.release());
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openLocked(
  { folder, names, certificateMs = CERTIFICATE_DAYS * DAY_MS }: VaultOptions,
  { clock, random, warn }: VaultPorts,
  release: () => Promise<void>,
): Promise<Vault> {
  for (const role of VAULT_FOLDERS) await prepareFolder(join(folder, role));
  const mayMake = !(await isComplete(folder));
  if (mayMake && !clock.isTrusted()) {
    throw new VaultError(
      'The clock of this machine is not set, so its certificates would be wrong for everyone else. Set the clock, then start again.',
    );
  }
  const id = await readIdentity(join(folder, 'server', 'identity'), mayMake, random);
  const ca = { folder: join(folder, 'authority'), id, mayMake, certificateMs };
  const [serverKeys, serviceKeys, authority] = await Promise.all([
    readKeys(join(folder, 'server'), mayMake),
    readKeys(join(folder, 'key-service'), mayMake),
    readAuthority(ca, { clock, random }),
  ]);
  const credentials = await openCredentials({ folder, serverId: id, names }, { authority, clock });
  const setupToken = await openSetupToken(join(folder, 'server'), random);
  if (mayMake) await markComplete(folder);
  const warning = endWarning(authority, clock);
  if (warning !== undefined) warn(warning);
  return {
    server: { id, keys: serverKeys, publicKeys: publicPartsOf(serverKeys), setupToken },
    keyService: { folder: join(folder, 'key-service'), keys: serviceKeys, authority },
    credentials,
    certificateEnds: () => ({
      ca: authority.notAfter,
      tls: endOf(credentials.tls()),
      mqtt: endOf(credentials.mqtt()),
    }),
    keepFresh: (onRenewed) => keepFresh({ certificateMs }, { credentials, onRenewed, warn }),
    close: release,
  };
}

function endOf({ chain }: Credential): number {
  return new X509Certificate(chain).validToDate.getTime();
}
