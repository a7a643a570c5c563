import { bodyToPem, importSealKey, importVerifyKey, KeyError } from '@srup/node';
import { identityText, parseIdentity, SUITES, type Identity, type SuiteName } from '@srup/protocol';
import { takeUse } from './codes.ts';
import { answer, refuse, type Answer, type Refusal } from './faults.ts';
import type { IdentityRow, KeyServiceTables } from './tables.ts';
import type { Read, Store, Write } from '../store/port.ts';

/** From registration to certificate (P 8.5). */
export const REGISTRATION_MS = 10 * 60_000;

export interface NewIdentity {
  readonly id: Identity;
  readonly type: string;
  readonly suite: SuiteName;
  readonly publicPem: string;
  readonly sealPem?: string;
}

/** Reads the keys of a registration; the suite follows from the key (P 4.1). */
export function readKeys(fields: {
  readonly key: string;
  readonly sealKey?: string | undefined;
}): Answer<{ suite: SuiteName; publicPem: string; sealPem?: string }> {
  try {
    const publicPem = bodyToPem(fields.key);
    const { suite } = importVerifyKey(publicPem);
    const needsSealKey = SUITES[suite].sealing === 'hpke-x25519';
    if (needsSealKey !== (fields.sealKey !== undefined)) {
      const what = needsSealKey
        ? 'needs a sealKey, an X25519 key'
        : 'has no sealKey: it seals with its one key';
      return refuse('invalid-key', `the suite ${suite} ${what} (P 4)`);
    }
    const sealPem = fields.sealKey === undefined ? undefined : bodyToPem(fields.sealKey);
    importSealKey(suite, { signing: publicPem, ...(sealPem && { sealing: sealPem }) });
    return answer({ suite, publicPem, ...(sealPem && { sealPem }) });
  } catch (error) {
    if (error instanceof KeyError) return refuse('invalid-key', error.message);
    throw error;
  }
}

/**
 * Takes an identity, in one transaction: of two that register the same id, one wins. The same again, after a lost
 * answer, is no duplicate and takes no second use of the code: who asks proves at `validate` that the key is its own.
 * `code`: undefined when none
 * was sent; `codeRequired`: whether that is allowed.
 */
export function takeIdentity(
  store: Store<KeyServiceTables>,
  wanted: NewIdentity & { readonly code?: string | undefined },
  now: number,
  codeRequired: boolean,
): Promise<Refusal | undefined> {
  return store.commit(async (trx) => {
    await emptyExpired(trx, now);
    const id = identityText(wanted.id);
    const taken = await findRow(trx, id);
    if (taken !== undefined) {
      if (isSameAgain(taken, wanted)) return undefined;
      return refuse(
        'duplicate',
        `the identity ${id} is taken, and is never given again (P 8.5): make a new one`,
      );
    }
    const { code, type } = wanted;
    if (code === undefined ? codeRequired : !(await takeUse(trx, code, type, now))) {
      return refuse('wrong-code', CODE_MESSAGE);
    }
    await trx
      .insertInto('identities')
      .values({
        id,
        type,
        suite: wanted.suite,
        public_pem: wanted.publicPem,
        seal_pem: wanted.sealPem ?? null,
        state: 'registered',
        registered_at: now,
        expires_at: now + REGISTRATION_MS,
      })
      .execute();
    return undefined;
  });
}

/** Keys of a registration that expired are gone, so it is another one. */
function isSameAgain(row: IdentityRow, { type, publicPem, sealPem }: NewIdentity): boolean {
  const isSame = row.type === type && row.public_pem === publicPem && row.seal_pem === (sealPem ?? null);
  return isSame && row.state === 'registered';
}

const CODE_MESSAGE =
  'this key service wants a valid enrolment code for this device type, and none was sent, or it is wrong, used up or expired: ask the operator for one';

async function emptyExpired(store: Write<KeyServiceTables>, now: number): Promise<void> {
  await store
    .updateTable('identities')
    .set({ public_pem: '', seal_pem: null })
    .where('expires_at', '<=', now)
    .where('public_pem', '!=', '')
    .execute();
}

/** The row of an identity in the right state for its next step, or why there is none (P 8.4, 8.5). */
export async function findActive(
  store: Read<KeyServiceTables>,
  identity: string,
  now: number,
): Promise<Answer<IdentityRow & { readonly number: Identity }>> {
  const row = await findRow(store, identity);
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

export function findRow(store: Read<KeyServiceTables>, identity: string): Promise<IdentityRow | undefined> {
  return store.selectFrom('identities').selectAll().where('id', '=', identity).executeTakeFirst();
}

export function isExpired(row: IdentityRow, now: number): boolean {
  return row.expires_at !== null && row.expires_at <= now;
}
