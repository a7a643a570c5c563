/** The record of the certificates that were issued, and of those that were revoked (P 8.3). */
import { identityText, type Identity } from '@srup/protocol';
import type { Issued } from '../authority/issue.ts';
import type { RevokedEntry } from '../authority/crl.ts';
import type { Read, Write } from '../store/port.ts';
import { prepare } from '../store/prepared.ts';
import type { KeyServiceTables } from './tables.ts';

/**
 * Certificates of one identity that may be valid at the same time. A device that asks again (it lost the answer, or
 * renews) keeps the old one until it has the new one; a device that asks for ever makes neither the table nor the
 * revocation list grow without limit.
 */
export const LIVE_CERTIFICATES = 8;

const selectLive = prepare((read: Read<KeyServiceTables>, p: { readonly identity: string }) =>
  read
    .selectFrom('certificates')
    .select('serial')
    .where('identity', '=', p.identity)
    .where('revoked_at', 'is', null)
    .orderBy('issued_at', 'desc')
    .orderBy('serial'),
);
const insertCertificate = prepare(
  (write: Write<KeyServiceTables>, p: Omit<KeyServiceTables['certificates'], 'revoked_at'>) =>
    write.insertInto('certificates').values({
      serial: p.serial,
      identity: p.identity,
      issued_at: p.issued_at,
      not_after: p.not_after,
      revoked_at: null,
    }),
);

/**
 * Records a certificate in the transaction that certifies the identity. Returns true when it revoked older ones of the
 * identity, because they were too many: then publish the revocation list. `at`: ms since 1970.
 */
export async function recordCertificate(
  write: Write<KeyServiceTables>,
  id: Identity,
  issued: Issued,
  at: number,
): Promise<boolean> {
  const identity = identityText(id);
  const { rows: older } = await selectLive(write, { identity });
  const { serial, notAfter } = issued;
  await insertCertificate(write, { serial, identity, issued_at: at, not_after: notAfter });
  const surplus = older.slice(LIVE_CERTIFICATES - 1).map((one) => one.serial);
  if (surplus.length === 0) return false;
  await write.updateTable('certificates').set({ revoked_at: at }).where('serial', 'in', surplus).execute();
  return true;
}

/** Revokes the certificates of an identity, in the transaction that revokes the identity. `at`: ms since 1970. */
export async function revokeCertificates(
  write: Write<KeyServiceTables>,
  id: Identity,
  at: number,
): Promise<void> {
  await write
    .updateTable('certificates')
    .set({ revoked_at: at })
    .where('identity', '=', identityText(id))
    .where('revoked_at', 'is', null)
    .execute();
}

/** The revoked certificates that end after this time, in ms since 1970, by serial number; also those from elsewhere. */
export function findRevoked(
  read: Read<KeyServiceTables>,
  endsAfter: number,
): Promise<readonly RevokedEntry[]> {
  const own = read
    .selectFrom('certificates')
    .select(['serial', 'revoked_at as revokedAt'])
    .where('revoked_at', 'is not', null)
    .where('not_after', '>', endsAfter)
    .$narrowType<{ revokedAt: number }>();
  const foreign = read
    .selectFrom('foreign_revocations')
    .select(['serial', 'revoked_at as revokedAt'])
    .where('not_after', '>', endsAfter);
  return own.unionAll(foreign).orderBy('serial').execute();
}
