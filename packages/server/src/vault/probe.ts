/** For `srup doctor`: certificates of throw-away identities, kept in memory, to try a broker with. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newIdentity, Secret } from '@srup/node';
import type { Clock, Identity, Random } from '@srup/protocol';
import { openAuthority, type Credential } from '../authority/authority.ts';
import type { KeyServiceTables } from '../keyservice/tables.ts';
import { openSqliteReadOnly } from '../store/sqlite/open.ts';

export interface ProbeCredential extends Credential {
  readonly id: Identity;
}

export interface ProbeCredentials {
  readonly one: ProbeCredential;
  readonly other: ProbeCredential;
  /** With the serial number of a certificate that is revoked; undefined when none is. */
  readonly revoked: ProbeCredential | undefined;
}

/** Reads the CA in the server's folder; the server may run. */
export async function makeProbes(folder: string, clock: Clock, random: Random): Promise<ProbeCredentials> {
  const key = new Secret(await readFile(join(folder, 'authority', 'ca.key.pem'), 'utf8'));
  const caPem = await readFile(join(folder, 'authority', 'ca.pem'), 'utf8');
  const authority = await openAuthority(key, caPem, clock, random);
  const make = async (serial?: string): Promise<ProbeCredential> => {
    const id = newIdentity(random);
    return { id, ...(await authority.issueClient(id, serial)) };
  };
  const serial = await revokedSerial(folder, clock.now());
  return {
    one: await make(),
    other: await make(),
    revoked: serial === undefined ? undefined : await make(serial),
  };
}

async function revokedSerial(folder: string, now: number): Promise<string | undefined> {
  const keys = openSqliteReadOnly<KeyServiceTables>(join(folder, 'key-service', 'identities.sqlite'));
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
