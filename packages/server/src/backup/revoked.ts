/**
 * Revocations after the backup (P 10.8): the newest revocation list knows them. It names certificates; the backup knows
 * whose they are, for those that were issued before it.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '@srup/node';
import { CERTIFICATE_DAYS } from '../authority/authority.ts';
import { DAY_MS } from '../authority/ca.ts';
import { readCrl, type RevocationList } from '../authority/crl.ts';
import { addKeyEvent } from '../keyservice/events.ts';
import type { KeyServiceTables } from '../keyservice/tables.ts';
import type { Read, Write } from '../store/port.ts';
import { BackupError } from './archive/fault.ts';

const CRL = join('key-service', 'crl.pem');
const CANARY = join('key-service', 'canary.pem');
const FIND_NEWEST =
  'Name the newest one: key-service/crl.pem of the old folder, or the file that the broker reads (crlfile).';

export interface NewlyRevoked {
  /** Identities that are revoked now. */
  readonly revoked: readonly string[];
  /** Identities whose certificates in the backup had all ended when the list was made: it does not tell of them. */
  readonly unclear: readonly string[];
}

/**
 * Checks the list in `file` and puts it into the folder. Without a file the folder keeps its own. Either way the first
 * start makes a new list with a new canary, because a broker may have read newer ones than are known here.
 */
export async function adoptCrl(work: string, file: string | undefined): Promise<RevocationList | undefined> {
  await rm(join(work, CANARY), { force: true });
  if (file === undefined) return undefined;
  const pem = await readFile(file, 'utf8');
  const ca = await readFile(join(work, 'authority', 'ca.pem'), 'utf8');
  const list = readCrl(pem, ca);
  if (list === undefined)
    throw new BackupError(`${file} is not a revocation list by the CA of this server. ${FIND_NEWEST}`);
  const own = readCrl(await readFile(join(work, CRL), 'utf8').catch(() => ''), ca);
  if (own !== undefined && list.number < own.number)
    throw new BackupError(`${file} is older than the revocation list in the backup. ${FIND_NEWEST}`);
  // A broker that is started before the server reads it here.
  await writeFileAtomic(join(work, CRL), pem);
  return list;
}

/**
 * Puts in force the revocations that the list has and the backup does not have.
 * @param now milliseconds since 1970
 */
export async function revokeListed(
  write: Write<KeyServiceTables>,
  list: RevocationList,
  now: number,
): Promise<NewlyRevoked> {
  const madeAt = Number(list.number);
  const before = await withoutCertificate(write, madeAt);
  for (const { serial, revokedAt } of list.entries) await putIntoForce(write, serial, revokedAt, now);
  const after = await withoutCertificate(write, madeAt);
  const revoked = [...after].filter((id) => !before.has(id));
  for (const device of revoked) {
    await write
      .updateTable('identities')
      .set({ state: 'revoked', expires_at: null })
      .where('id', '=', device)
      .execute();
    await addKeyEvent(write, { kind: 'identity', at: now, device, body: { change: 'revoked' } });
  }
  return { revoked, unclear: [...before] };
}

async function putIntoForce(
  write: Write<KeyServiceTables>,
  serial: string,
  revokedAt: number,
  now: number,
): Promise<void> {
  const known = await write
    .selectFrom('certificates')
    .select('revoked_at')
    .where('serial', '=', serial)
    .executeTakeFirst();
  if (known === undefined) {
    // It was issued after the backup, so it ends at the latest after the longest life of a certificate from now.
    const notAfter = now + CERTIFICATE_DAYS * DAY_MS;
    await write
      .insertInto('foreign_revocations')
      .values({ serial, revoked_at: revokedAt, not_after: notAfter })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  } else if (known.revoked_at === null) {
    await write
      .updateTable('certificates')
      .set({ revoked_at: revokedAt })
      .where('serial', '=', serial)
      .execute();
  }
}

/** Finds certified identities that had no valid certificate at this time. */
async function withoutCertificate(read: Read<KeyServiceTables>, then: number): Promise<Set<string>> {
  const rows = await read
    .selectFrom('identities')
    .select('id')
    .where('state', '=', 'certified')
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom('certificates')
            .select('serial')
            .whereRef('identity', '=', 'identities.id')
            .where('revoked_at', 'is', null)
            .where('not_after', '>', then),
        ),
      ),
    )
    .execute();
  return new Set(rows.map(({ id }) => id));
}
