/** The revocation list of the key service: a file, and what the broker gets (P 8.3). */
import { createHash, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { createQueue, newIdentity, writeFileAtomic } from '@srup/node';
import type { Clock, Random } from '@srup/protocol';
import type { Authority, Credential } from '../authority/authority.ts';
import { DAY_MS } from '../authority/ca.ts';
import { readCrl, type RevokedEntry } from '../authority/crl.ts';
import type { RevocationList } from '../broker/control.ts';
import { formatCredential, parseCredential, readIfThere } from '../vault/files.ts';

/** A canary that ends within this many milliseconds is replaced at the next start: it would be refused for its age. */
const CANARY_LEFT_MS = 180 * DAY_MS;

export interface RevocationLists {
  /** The newest list, which is also in the folder, as `crl.pem`. */
  newest(): RevocationList;
  /**
   * Makes the list again from what is committed, and writes it to the folder. Resolves to false when the newest one
   * says the same already.
   */
  publish(): Promise<boolean>;
}

export interface RevocationListPorts {
  /** What must be on a list that is made now. */
  readonly findRevoked: (endsAfter: number) => Promise<readonly RevokedEntry[]>;
  readonly authority: Authority;
  readonly clock: Clock;
  readonly random: Random;
}

interface Listed extends RevocationList {
  /** Hash of the serial numbers that were revoked. */
  readonly serials: string;
}

/** Reads the list of the last start from the key service's folder, or makes a new one when that says something else. */
export async function openRevocationLists(
  folder: string,
  { findRevoked, authority, clock, random }: RevocationListPorts,
): Promise<RevocationLists> {
  const crlFile = join(folder, 'crl.pem');
  const canaryFile = join(folder, 'canary.pem');
  const present = (await readIfThere(crlFile)) ?? '';
  /** The number of the newest list. */
  let number = readCrl(present, authority.caPem)?.number ?? 0n;
  let newest = await make(await readListed(present, canaryFile, clock));
  // A list that was begun earlier never replaces a later one.
  const publishing = createQueue();

  /** Makes a list with a canary of its own, unless it says the same as the present one. */
  async function make(listed?: Listed): Promise<Listed> {
    // A certificate that has expired is refused anyway; but not when the clock is wrong, which may have jumped ahead.
    const rows = await findRevoked(clock.isTrusted() ? clock.now() : 0);
    const serials = hashOf(rows.map(({ serial }) => serial).join());
    if (listed?.serials === serials) return listed;
    const canary = await authority.issueClient(newIdentity(random));
    const entries = [...rows, { serial: serialOf(canary), revokedAt: clock.now() }];
    // The time tells how new a list is, but a clock that was set back makes no older number (RFC 5280, 5.2.3).
    const next = BigInt(clock.now()) > number ? BigInt(clock.now()) : number + 1n;
    const crl = await authority.revocationList(entries, next);
    await writeFileAtomic(canaryFile, `# ${serials} ${hashOf(crl)}\n${formatCredential(canary)}`);
    await writeFileAtomic(crlFile, crl);
    number = next;
    return { crl, serials, canary };
  }

  return {
    newest: () => newest,
    publish: () =>
      publishing.run(async () => {
        const before = newest;
        newest = await make(before);
        return newest !== before;
      }),
  };
}

/**
 * The list of the last start: a broker that has read it need not read another one that says the same. Undefined when
 * list and canary do not belong together, or the canary ends soon.
 */
async function readListed(crl: string, canaryFile: string, clock: Clock): Promise<Listed | undefined> {
  const text = (await readIfThere(canaryFile)) ?? '';
  const [, serials, hash] = /^# (\w+) (\w+)\n/.exec(text) ?? [];
  if (serials === undefined || hash !== hashOf(crl)) return undefined;
  const canary = parseCredential(text, canaryFile);
  const { validToDate } = new X509Certificate(canary.chain);
  const isLasting = validToDate.getTime() - clock.now() > CANARY_LEFT_MS;
  return isLasting ? { crl, serials, canary } : undefined;
}

function serialOf({ chain }: Credential): string {
  return new X509Certificate(chain).serialNumber.toLowerCase();
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
