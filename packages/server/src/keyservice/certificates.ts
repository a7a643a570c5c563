import { join } from 'node:path';
import { createHash, X509Certificate } from 'node:crypto';
import { newIdentity, writeFileAtomic } from '@srup/node';
import { identityText, type Clock, type Identity, type Random } from '@srup/protocol';
import { DAY_MS } from '../authority/ca.ts';
import type { Authority, Credential, Issued } from '../authority/authority.ts';
import { readCrl, type RevokedEntry } from '../authority/crl.ts';
import { formatCredential, parseCredential, readIfThere } from '../vault/files.ts';
import type { KeyServiceTables } from './tables.ts';
import type { Read, Write } from '../store/port.ts';

/**
 * Certificates of one identity that may hold at a time. A device that asks again (it lost the answer, or renews)
 * keeps the old one until it has the new; one that asks for ever makes neither table nor CRL grow without end.
 */
export const LIVE_CERTIFICATES = 8;

/** A canary that ends within this is replaced at the next start, in milliseconds: it would be refused for its age. */
const CANARY_LEFT_MS = 180 * DAY_MS;

/** The record of what was issued, and the revocation list that follows from it (P 8.3). */
export interface Certificates {
  /** Part of the transaction that certifies the identity. `others-revoked`: its oldest gave way; publish the list. */
  record(
    write: Write<KeyServiceTables>,
    id: Identity,
    certificate: Issued,
  ): Promise<'recorded' | 'others-revoked'>;
  /** Part of the transaction that revokes the identity. */
  revokeAll(write: Write<KeyServiceTables>, id: Identity): Promise<void>;
  /** Makes the list anew from what is committed, writes it to `crl.pem`, and gives it to the broker; if it changed. */
  publishCrl(): Promise<void>;
  crl(): string;
  /** A certificate that is on this list and was on none before it. */
  canary(): Credential;
}

interface Listed {
  readonly pem: string;
  /** Hash of those who were revoked. */
  readonly serials: string;
  readonly canary: Credential;
}

export interface CertificatesOptions {
  readonly store: Read<KeyServiceTables>;
  /** The key service's. */
  readonly folder: string;
  readonly authority: Authority;
  readonly clock: Clock;
  readonly random: Random;
  readonly onCrl: (pem: string, canary: Credential) => void;
}

export async function openCertificates(options: CertificatesOptions): Promise<Certificates> {
  const { store, folder, authority, clock, random, onCrl } = options;
  const crlFile = join(folder, 'crl.pem');
  const canaryFile = join(folder, 'canary.pem');
  const present = (await readIfThere(crlFile)) ?? '';
  /** Of the last list. */
  let number = readCrl(present, authority.caPem)?.number ?? 0n;
  let current = await makeCrl(await readListed(present));
  let turn: Promise<void> = Promise.resolve();

  /** The list of the last start: a broker that has read it need not read another one that says the same. */
  async function readListed(pem: string): Promise<Listed | undefined> {
    const text = (await readIfThere(canaryFile)) ?? '';
    const [, serials, crl] = /^# (\w+) (\w+)\n/.exec(text) ?? [];
    if (serials === undefined || crl !== hashOf(pem)) return undefined;
    const canary = parseCredential(text, canaryFile);
    const { validToDate } = new X509Certificate(canary.chain);
    const isLasting = validToDate.getTime() - clock.now() > CANARY_LEFT_MS;
    return isLasting ? { pem, serials, canary } : undefined;
  }

  /** What is listed now. What has expired is refused anyway; but not by a clock that may have jumped ahead. */
  async function revoked(): Promise<readonly RevokedEntry[]> {
    const from = clock.isTrusted() ? clock.now() : 0;
    const own = store
      .selectFrom('certificates')
      .select(['serial', 'revoked_at as revokedAt'])
      .where('revoked_at', 'is not', null)
      .where('not_after', '>', from)
      .$narrowType<{ revokedAt: number }>();
    const foreign = store
      .selectFrom('foreign_revocations')
      .select(['serial', 'revoked_at as revokedAt'])
      .where('not_after', '>', from);
    return own.unionAll(foreign).orderBy('serial').execute();
  }

  /** With a canary of its own, unless it says the same as the present one. */
  async function makeCrl(listed?: Listed): Promise<Listed> {
    const rows = await revoked();
    const serials = hashOf(rows.map(({ serial }) => serial).join());
    if (listed?.serials === serials) return listed;
    const canary = await authority.issueClient(newIdentity(random));
    const { serialNumber } = new X509Certificate(canary.chain);
    const entries = [...rows, { serial: serialNumber.toLowerCase(), revokedAt: clock.now() }];
    // The time tells how new a list is, but a clock that was set back makes no older number (RFC 5280, 5.2.3).
    const next = BigInt(clock.now()) > number ? BigInt(clock.now()) : number + 1n;
    const pem = await authority.revocationList(entries, next);
    await writeFileAtomic(canaryFile, `# ${serials} ${hashOf(pem)}\n${formatCredential(canary)}`);
    await writeFileAtomic(crlFile, pem);
    number = next;
    return { pem, serials, canary };
  }

  async function renew(): Promise<void> {
    const next = await makeCrl(current);
    if (next === current) return;
    current = next;
    onCrl(next.pem, next.canary);
  }

  /** One after the other: a list that was begun earlier never replaces a later one. */
  function publishCrl(): Promise<void> {
    const mine = turn.then(renew);
    turn = mine.catch(() => undefined);
    return mine;
  }

  async function record(trx: Write<KeyServiceTables>, id: Identity, issued: Issued) {
    const identity = identityText(id);
    const now = clock.now();
    await trx
      .insertInto('certificates')
      .values({
        serial: issued.serial,
        identity,
        issued_at: now,
        not_after: issued.notAfter,
        revoked_at: null,
      })
      .execute();
    const { numUpdatedRows } = await trx
      .updateTable('certificates')
      .set({ revoked_at: now })
      .where('serial', 'in', (eb) =>
        eb
          .selectFrom('certificates')
          .select('serial')
          .where('identity', '=', identity)
          .where('serial', '!=', issued.serial)
          .where('revoked_at', 'is', null)
          .orderBy('issued_at', 'desc')
          .limit(-1) // SQLite has no offset without it
          .offset(LIVE_CERTIFICATES - 1),
      )
      .executeTakeFirst();
    return numUpdatedRows > 0n ? 'others-revoked' : 'recorded';
  }

  async function revokeAll(trx: Write<KeyServiceTables>, id: Identity): Promise<void> {
    await trx
      .updateTable('certificates')
      .set({ revoked_at: clock.now() })
      .where('identity', '=', identityText(id))
      .where('revoked_at', 'is', null)
      .execute();
  }

  return { record, revokeAll, publishCrl, crl: () => current.pem, canary: () => current.canary };
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
