import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { writeFileAtomic } from '@srup/node';
import { identityText, type Clock, type Identity } from '@srup/protocol';
import type { Authority, Issued } from '../authority/authority.ts';
import type { KeyServiceTables } from './tables.ts';

/**
 * Certificates of one identity that may hold at a time. A device that asks again (it lost the answer, or renews)
 * keeps the old one until it has the new; one that asks for ever makes neither table nor CRL grow without end.
 */
export const LIVE_CERTIFICATES = 8;

/** The record of what was issued, and the revocation list that follows from it (P 8.3). */
export interface Certificates {
  /** Part of the transaction that certifies the identity. `others-revoked`: its oldest gave way; publish the list. */
  record(
    store: Kysely<KeyServiceTables>,
    id: Identity,
    certificate: Issued,
  ): Promise<'recorded' | 'others-revoked'>;
  /** Part of the transaction that revokes the identity. */
  revokeAll(store: Kysely<KeyServiceTables>, id: Identity): Promise<void>;
  /** Makes the list anew from what is committed, writes it to `crl.pem`, and gives it to the broker. */
  publishCrl(): Promise<void>;
  crl(): string;
}

export interface CertificatesOptions {
  readonly store: Kysely<KeyServiceTables>;
  /** The key service's. */
  readonly folder: string;
  readonly authority: Authority;
  readonly clock: Clock;
  readonly onCrl: (pem: string) => void;
}

export async function openCertificates(options: CertificatesOptions): Promise<Certificates> {
  const { store, folder, authority, clock, onCrl } = options;
  let crl = await makeCrl();
  let turn: Promise<void> = Promise.resolve();

  async function makeCrl(): Promise<string> {
    const rows = await store
      .selectFrom('certificates')
      .select(['serial', 'revoked_at as revokedAt'])
      .where('revoked_at', 'is not', null)
      // What has expired is refused anyway; but not by a clock that may have jumped ahead.
      .where('not_after', '>', clock.isTrusted() ? clock.now() : 0)
      .$narrowType<{ revokedAt: number }>()
      .execute();
    const pem = await authority.revocationList(rows);
    await writeFileAtomic(join(folder, 'crl.pem'), pem);
    return pem;
  }

  /** One after the other: a list that was begun earlier never replaces a later one. */
  function publishCrl(): Promise<void> {
    const mine = turn.then(async () => {
      crl = await makeCrl();
      onCrl(crl);
    });
    turn = mine.catch(() => undefined);
    return mine;
  }

  async function record(trx: Kysely<KeyServiceTables>, id: Identity, issued: Issued) {
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

  async function revokeAll(trx: Kysely<KeyServiceTables>, id: Identity): Promise<void> {
    await trx
      .updateTable('certificates')
      .set({ revoked_at: clock.now() })
      .where('identity', '=', identityText(id))
      .where('revoked_at', 'is', null)
      .execute();
  }

  return { record, revokeAll, publishCrl, crl: () => crl };
}
