/** What a broker outside of the server needs from the server's folder (P 7.3, 8.3). */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Secret, systemRandom, writeFileAtomic } from '@srup/node';
import type { Random } from '@srup/protocol';
import { readIfThere, VaultError } from './files.ts';

/** The user as which the server ends sessions of devices at the broker. It is not an identity (P 2.7), so no certificate has this name. */
export const SESSIONS_USER = 'srup-sessions';

const PASSWORD_BYTES = 32;

export interface BrokerAccess {
  /** Hex text: the common name of the certificate that has the rights of the server. */
  readonly serverId: string;
  readonly caFile: string;
  /** Key and certificate chain in one file, for the names of the server. A renewal replaces the file. */
  readonly credentialFile: string;
  /** Each revocation replaces this file. */
  readonly crlFile: string;
  /** The password of `SESSIONS_USER`. */
  readonly password: Secret;
  /** The owner of the folder. */
  readonly owner: { readonly uid: number; readonly gid: number };
}

/**
 * Reads the folder of a server that has run, and makes a password when there is none. Throws `VaultError`.
 *
 * @example
 * const { caFile, crlFile } = await openBrokerAccess('/var/lib/srup');
 */
export async function openBrokerAccess(folder: string, random: Random = systemRandom): Promise<BrokerAccess> {
  const identity = await readIfThere(join(folder, 'server', 'identity'));
  const crlFile = join(folder, 'key-service', 'crl.pem');
  if (identity === undefined || (await readIfThere(crlFile)) === undefined) {
    throw new VaultError(
      `No server has run in ${folder}. Start one there first (srup up --folder ${folder}), or name another folder.`,
    );
  }
  const { uid, gid } = await stat(folder);
  return {
    serverId: identity.trim(),
    caFile: join(folder, 'authority', 'ca.pem'),
    credentialFile: join(folder, 'tls', 'server.pem'),
    crlFile,
    password: await readSessionsPassword(folder, random),
    owner: { uid, gid },
  };
}

/** Reads the password of `SESSIONS_USER`, and makes one when there is none. The broker knows only its hash. */
export async function readSessionsPassword(folder: string, random: Random = systemRandom): Promise<Secret> {
  const file = join(folder, 'server', 'broker-sessions');
  const known = await readIfThere(file);
  if (known !== undefined) return new Secret(known.trim());
  const made = Buffer.from(random.bytes(PASSWORD_BYTES)).toString('base64url');
  await writeFileAtomic(file, `${made}\n`);
  return new Secret(made);
}
