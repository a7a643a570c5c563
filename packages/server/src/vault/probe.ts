/** For `srup doctor`: certificates of throw-away identities, kept in memory, to try a broker with. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { newIdentity, Secret } from '@srup/node';
import type { Clock, Identity, Random } from '@srup/protocol';
import { openAuthority, type Credential } from '../authority/authority.ts';

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
  const serial = revokedSerial(folder, clock.now());
  return {
    one: await make(),
    other: await make(),
    revoked: serial === undefined ? undefined : await make(serial),
  };
}

function revokedSerial(folder: string, now: number): string | undefined {
  const keys = new DatabaseSync(join(folder, 'key-service', 'identities.sqlite'), { readOnly: true });
  try {
    const row = keys
      .prepare('select serial from certificates where revoked_at is not null and not_after > ? limit 1')
      .get(now) as { serial: string } | undefined;
    return row?.serial;
  } finally {
    keys.close();
  }
}
