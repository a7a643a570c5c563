/** Certificates of throw-away identities, kept in memory, with which `srup doctor` tries a broker out. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newIdentity, Secret } from '@srup/node';
import type { Clock, Identity, Random } from '@srup/protocol';
import { openAuthority, type Credential } from '../authority/authority.ts';
import { findDatabases } from '../store/databases.ts';
import { openReadOnly } from '../store/open.ts';
import type { KeyServiceTables } from './tables.ts';

export interface ProbeCredential extends Credential {
  readonly id: Identity;
}

export interface ProbeCredentials {
  readonly one: ProbeCredential;
  readonly other: ProbeCredential;
  /** A certificate with the serial number of one that is revoked; undefined when none is revoked. */
  readonly revoked: ProbeCredential | undefined;
}

/**
 * Issues three client certificates with the CA in the server's folder; the server may be running.
 * @param password of the database, instead of the one in the file that the folder names
 *
 * @example
 * const { one, other, revoked } = await makeProbes('/var/lib/srup', systemClock, systemRandom);
 */
export async function makeProbes(
  folder: string,
  clock: Clock,
  random: Random,
  password?: Secret,
): Promise<ProbeCredentials> {
  const key = new Secret(await readFile(join(folder, 'authority', 'ca.key.pem'), 'utf8'));
  const caPem = await readFile(join(folder, 'authority', 'ca.pem'), 'utf8');
  const authority = openAuthority(key, caPem, clock, random);
  const make = async (serial?: string): Promise<ProbeCredential> => {
    const id = newIdentity(random);
    return { id, ...(await authority.issueClient(id, serial)) };
  };
  const serial = await revokedSerial(folder, clock.now(), password);
  return {
    one: await make(),
    other: await make(),
    revoked: serial === undefined ? undefined : await make(serial),
  };
}

async function revokedSerial(
  folder: string,
  now: number,
  password: Secret | undefined,
): Promise<string | undefined> {
  const keys = openReadOnly<KeyServiceTables>((await findDatabases(folder, password)).keys);
  try {
    const row = await keys.read
      .selectFrom('certificates')
      .select('serial')
      .where('revoked_at', 'is not', null)
      .where('not_after', '>', now)
      .executeTakeFirst();
    return row?.serial;
  } finally {
    await keys.close();
  }
}
