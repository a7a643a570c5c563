/** The CA in the server's folder. */
import { join } from 'node:path';
import { Secret } from '@srup/node';
import { identityText, type Clock, type Identity, type Random } from '@srup/protocol';
import { openAuthority, type Authority } from '../authority/authority.ts';
import { DAY_MS, makeCaCertificate } from '../authority/ca.ts';
import { makeTlsKey } from '../authority/keys.ts';
import { readOrMake, VaultError } from './files.ts';

/** The operator is warned of a CA that ends within this many milliseconds: all certificates end with it. */
const CA_WARNING_MS = 365 * DAY_MS;

export interface CaOptions {
  readonly folder: string;
  /** The identity of the server, by which its CA is named. */
  readonly id: Identity;
  /** May key and certificate be made when they are missing? */
  readonly mayMake: boolean;
  /** The life of the certificates that the CA issues, in milliseconds. */
  readonly certificateMs: number;
}

export interface CaPorts {
  readonly clock: Clock;
  readonly random: Random;
}

export async function readAuthority(
  { folder, id, mayMake, certificateMs }: CaOptions,
  { clock, random }: CaPorts,
): Promise<Authority> {
  const keyFile = join(folder, 'ca.key.pem');
  const caFile = join(folder, 'ca.pem');
  const name = identityText(id);
  const key = new Secret(await readOrMake(keyFile, mayMake, async () => (await makeTlsKey()).reveal()));
  const ca = await readOrMake(caFile, mayMake, () => makeCaCertificate(key, name, clock, random));
  try {
    const authority = openAuthority(key, ca, clock, random, certificateMs);
    if (authority.name === name) return authority;
  } catch {
    // told below: they are no pair, or unreadable
  }
  throw new VaultError(
    `${keyFile}, ${caFile} and the server's identity (${name}) don't belong together, or are damaged. Restore the whole folder from one backup.`,
  );
}

/** What to tell the operator about a CA that ends soon. */
export function endWarning({ notAfter }: Authority, clock: Clock): string | undefined {
  if (!clock.isTrusted() || notAfter - clock.now() >= CA_WARNING_MS) return undefined;
  const day = new Date(notAfter).toISOString().slice(0, 10);
  return `The CA of this server ends on ${day}; no device connects after that. Plan a new server folder and the re-registration of the devices.`;
}
