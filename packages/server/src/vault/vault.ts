/**
 * The server's folder: identity, keys and certificates. The first start makes what is missing, in an order in which
 * a crash at any instant leaves something that the next start completes; afterwards nothing of it is ever replaced
 * silently, because devices know it.
 *
 *   vault.json    the first start was completed
 *   server/       the C2 server: identity, a key file a suite, its MQTT certificate, the hash of the set-up token
 *   key-service/  the key service, a trust role of its own: a key file a suite, its database
 *   authority/    the CA
 *   tls/          the certificate of HTTPS and MQTTS
 */
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import {
  generateKeys,
  lockFolder,
  makePrivateFolder,
  newIdentity,
  Secret,
  writeFileAtomic,
  type KeySet,
  type PublicPems,
} from '@srup/node';
import {
  identityText,
  parseIdentity,
  SUITES,
  type Clock,
  type Identity,
  type Random,
  type SuiteName,
} from '@srup/protocol';
import { CERTIFICATE_DAYS, openAuthority, type Authority, type Credential } from '../authority/authority.ts';
import { DAY_MS, makeCaCertificate } from '../authority/ca.ts';
import { makeTlsKey } from '../authority/keys.ts';
import { openCredentials, type Credentials, type Renewed } from './credentials.ts';
import {
  findExposed,
  formatKeySet,
  parseKeySet,
  prepareFolder,
  readIfThere,
  readOrMake,
  VaultError,
} from './files.ts';
import { certificateNames } from './names.ts';
import { openSetupToken, type SetupToken } from './setup-token.ts';

const FORMAT = 1;
/** In the life of a certificate, but at least one a day. */
const LOOKS = 24;
export const VAULT_FOLDERS = ['server', 'key-service', 'authority', 'tls'] as const;
/** A CA that ends within this is warned of: its end is the end of every certificate. */
const CA_WARNING_MS = 365 * DAY_MS;

export type SuiteKeys = Readonly<Record<SuiteName, KeySet>>;

export interface VaultOptions {
  /** The server's data folder; others may keep things beside the vault's own folders. */
  readonly folder: string;
  /** Host names and IP addresses by which devices reach the server; this machine's own are always added. */
  readonly names: readonly string[];
  /** Of the certificates that are issued, in milliseconds; 365 days unless told, and never more (P 8.3). */
  readonly certificateMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  /** For the operator: what is wrong with the folder, and what to do. */
  readonly warn: (message: string) => void;
}

export interface Vault {
  readonly server: {
    readonly id: Identity;
    /** The server holds one key a suite (P 4.1). */
    readonly keys: SuiteKeys;
    /** What the key service tells of them. */
    readonly publicKeys: Readonly<Record<SuiteName, PublicPems>>;
    readonly setupToken: SetupToken;
  };
  readonly keyService: {
    readonly folder: string;
    readonly keys: SuiteKeys;
    readonly authority: Authority;
  };
  readonly credentials: Credentials;
  /** When the server's certificates end, ms since 1970. */
  certificateEnds(): Readonly<Record<'ca' | 'tls' | 'mqtt', number>>;
  /** Replaces the certificates that end soon, and tells which. Returns how to stop. */
  keepFresh(onRenewed: (renewed: Renewed) => void): () => void;
  /** Lets another process have the folder. */
  close(): Promise<void>;
}

/** Opens the folder, for this process alone. Throws `FolderLockedError`, or `VaultError` with what to do. */
export async function openVault(options: VaultOptions): Promise<Vault> {
  const { folder, warn } = options;
  const names = certificateNames(options.names);
  for (const path of await findExposed(folder, VAULT_FOLDERS)) {
    warn(
      `${path} can be read or written by others than its owner. Run: chmod go= '${path}'. If somebody else uses this machine, take the keys in it as known to them.`,
    );
  }
  await makePrivateFolder(folder);
  const lock = await lockFolder(folder);
  try {
    return await openLocked(options, names, () => lock.release());
  } catch (error) {
    await lock.release();
    throw error;
  }
}

interface Making {
  /** Only in a first start that was not completed. */
  readonly mayMake: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

async function openLocked(
  { folder, clock, random, warn, certificateMs = CERTIFICATE_DAYS * DAY_MS }: VaultOptions,
  names: readonly string[],
  release: () => Promise<void>,
): Promise<Vault> {
  for (const role of VAULT_FOLDERS) await prepareFolder(join(folder, role));
  const marker = join(folder, 'vault.json');
  const isComplete = await readMarker(marker);
  if (!isComplete && !clock.isTrusted()) {
    throw new VaultError(
      'The clock of this machine is not set, so its certificates would be wrong for everyone else. Set the clock, then start again.',
    );
  }
  const making = { mayMake: !isComplete, clock, random };
  const id = await readIdentity(join(folder, 'server', 'identity'), making);
  const [serverKeys, serviceKeys, authority] = await Promise.all([
    readKeys(join(folder, 'server'), making),
    readKeys(join(folder, 'key-service'), making),
    readAuthority(join(folder, 'authority'), id, making, certificateMs),
  ]);
  const credentials = await openCredentials({ folder, serverId: id, names, authority, clock });
  const setupToken = await openSetupToken(join(folder, 'server'), random);
  if (!isComplete) await writeFileAtomic(marker, `${JSON.stringify({ format: FORMAT })}\n`);
  if (clock.isTrusted() && authority.notAfter - clock.now() < CA_WARNING_MS) {
    warn(
      `The CA of this server ends on ${new Date(authority.notAfter).toISOString().slice(0, 10)}; no device connects after that. Plan a new server folder and the re-registration of the devices.`,
    );
  }
  return {
    server: { id, keys: serverKeys, publicKeys: publicPartsOf(serverKeys), setupToken },
    keyService: { folder: join(folder, 'key-service'), keys: serviceKeys, authority },
    credentials,
    certificateEnds: () => ({
      ca: authority.notAfter,
      tls: endOf(credentials.tls()),
      mqtt: endOf(credentials.mqtt()),
    }),
    keepFresh: (onRenewed) => keepFresh(credentials, onRenewed, warn, certificateMs),
    close: release,
  };
}

function endOf({ chain }: Credential): number {
  return new X509Certificate(chain).validToDate.getTime();
}

async function readMarker(path: string): Promise<boolean> {
  const text = await readIfThere(path);
  if (text === undefined) return false;
  const match = /"format":\s*(\d+)/.exec(text);
  if (match === null)
    throw new VaultError(
      `${path} is damaged. Restore it from a backup; its content is {"format":${FORMAT}}.`,
    );
  if (Number(match[1]) > FORMAT)
    throw new VaultError(
      `${path} was written by a newer version of this software. Use that version or a newer one.`,
    );
  return true;
}

async function readIdentity(path: string, { mayMake, random }: Making): Promise<Identity> {
  const text = await readOrMake(path, mayMake, async () => `${identityText(newIdentity(random))}\n`);
  const id = parseIdentity(text.trim());
  if (id === undefined) {
    throw new VaultError(`${path} is damaged: it holds no identity. Restore it from a backup.`);
  }
  return id;
}

async function readKeys(folder: string, { mayMake }: Making): Promise<SuiteKeys> {
  const suites = Object.keys(SUITES) as SuiteName[];
  const sets = await Promise.all(
    suites.map(async (suite) => {
      const path = join(folder, `${suite}.pem`);
      const text = await readOrMake(path, mayMake, async () => formatKeySet(await generateKeys(suite)));
      return [suite, parseKeySet(suite, text, path)] as const;
    }),
  );
  return Object.fromEntries(sets) as Record<SuiteName, KeySet>;
}

function publicPartsOf(keys: SuiteKeys): Record<SuiteName, PublicPems> {
  const parts = Object.values(keys).map(({ suite, signing, sealing }) => {
    const pems: PublicPems = {
      signing: signing.publicPem,
      ...(sealing && { sealing: sealing.publicPem }),
    };
    return [suite, pems] as const;
  });
  return Object.fromEntries(parts) as Record<SuiteName, PublicPems>;
}

async function readAuthority(
  folder: string,
  id: Identity,
  { mayMake, clock, random }: Making,
  certificateMs: number,
): Promise<Authority> {
  const keyFile = join(folder, 'ca.key.pem');
  const caFile = join(folder, 'ca.pem');
  const name = identityText(id);
  const key = new Secret(await readOrMake(keyFile, mayMake, async () => (await makeTlsKey()).reveal()));
  const ca = await readOrMake(caFile, mayMake, () => makeCaCertificate(key, name, clock, random));
  const authority = await openAuthority(key, ca, clock, random, certificateMs).catch(() => undefined);
  if (authority?.name === name) return authority;
  throw new VaultError(
    `${keyFile}, ${caFile} and the server's identity (${name}) don't belong together, or are damaged. Restore the whole folder from one backup.`,
  );
}

function keepFresh(
  credentials: Credentials,
  onRenewed: (renewed: Renewed) => void,
  warn: (message: string) => void,
  certificateMs: number,
): () => void {
  const timer = setInterval(
    () => {
      credentials.renew().then(
        (renewed) => {
          if (renewed.tls || renewed.mqtt) onRenewed(renewed);
        },
        (error: unknown) => {
          warn(
            `The server's certificates could not be renewed: ${error instanceof Error ? error.message : 'unknown reason'}. This is tried again.`,
          );
        },
      );
    },
    Math.min(DAY_MS, certificateMs / LOOKS),
  ).unref();
  return () => {
    clearInterval(timer);
  };
}
