/** Looks identities up in the database of the key service. */
import { parseIdentity, type Identity } from '@srup/protocol';
import type { Read } from '../store/port.ts';
import { answer, refuse, type Answer } from './faults.ts';
import { prepare } from '../store/prepared.ts';
import type { IdentityRow, KeyServiceTables } from './tables.ts';

/** Finds the row of an identity that can take its next step, or says why it can't (P 8.4, 8.5). */
export async function findActive(
  read: Read<KeyServiceTables>,
  identity: string,
  now: number,
): Promise<Answer<IdentityRow & { readonly number: Identity }>> {
  const row = await findRow(read, identity);
  const number = parseIdentity(identity);
  if (row === undefined || number === undefined) {
    return refuse('not-found', `the identity ${identity} is not registered here`);
  }
  if (row.state === 'revoked') return refuse('revoked', `the identity ${identity} was revoked (P 10.8)`);
  if (isExpired(row, now)) {
    return refuse(
      'gone',
      `the registration of ${identity} was not finished within 10 minutes (P 8.5): register anew, with a new identity`,
    );
  }
  return answer({ ...row, number });
}

const selectRow = prepare((read: Read<KeyServiceTables>, p: { readonly id: string }) =>
  read.selectFrom('identities').selectAll().where('id', '=', p.id),
);

export async function findRow(
  read: Read<KeyServiceTables>,
  identity: string,
): Promise<IdentityRow | undefined> {
  return (await selectRow(read, { id: identity })).rows[0];
}

export function isExpired(row: IdentityRow, now: number): boolean {
  return row.expires_at !== null && row.expires_at <= now;
}
