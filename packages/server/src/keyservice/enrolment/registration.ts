import { bodyToPem, importSealKey, importVerifyKey, KeyError } from '@srup/node';
import { identityText, SUITES, type Identity, type SuiteName } from '@srup/protocol';
import { takeUse } from '../codes.ts';
import { answer, refuse, type Answer, type Refusal } from '../faults.ts';
import { findRow } from '../identities.ts';
import { prepare } from '../../store/prepared.ts';
import type { Store, Write } from '../../store/port.ts';
import type { IdentityRow, KeyServiceTables } from '../tables.ts';

/** Milliseconds that a device has from its registration to its certificate (P 8.5). */
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

const insertIdentity = prepare((write: Write<KeyServiceTables>, p: IdentityRow) =>
  write.insertInto('identities').values({
    id: p.id,
    type: p.type,
    suite: p.suite,
    public_pem: p.public_pem,
    seal_pem: p.seal_pem,
    state: p.state,
    registered_at: p.registered_at,
    expires_at: p.expires_at,
  }),
);
const updateExpired = prepare((write: Write<KeyServiceTables>, p: { readonly now: number }) =>
  write
    .updateTable('identities')
    .set({ public_pem: '', seal_pem: null })
    .where('expires_at', '<=', p.now)
    .where('public_pem', '!=', ''),
);

/**
 * Takes an identity, in one transaction: of two devices that register the same id, one wins. The same registration
 * again, after a lost answer, is not a duplicate and takes no second use of the code: the device proves at `validate`
 * that the key is its own. `code` is undefined when the device sent none, which `codeRequired` forbids. Resolves to the
 * refusal, if there is one. `now`: ms since 1970.
 */
export function takeIdentity(
  store: Store<KeyServiceTables>,
  wanted: NewIdentity & { readonly code?: string | undefined },
  now: number,
  codeRequired: boolean,
): Promise<Refusal | undefined> {
  return store.commit(async (write) => {
    await emptyExpired(write, now);
    const id = identityText(wanted.id);
    const taken = await findRow(write, id);
    if (taken !== undefined) {
      if (isSameAgain(taken, wanted)) return undefined;
      return refuse(
        'duplicate',
        `the identity ${id} is taken, and is never given again (P 8.5): make a new one`,
      );
    }
    const { code, type } = wanted;
    if (code === undefined ? codeRequired : !(await takeUse(write, code, type, now))) {
      return refuse('wrong-code', CODE_MESSAGE);
    }
    await insertIdentity(write, {
      id,
      type,
      suite: wanted.suite,
      public_pem: wanted.publicPem,
      seal_pem: wanted.sealPem ?? null,
      state: 'registered',
      registered_at: now,
      expires_at: now + REGISTRATION_MS,
    });
    return undefined;
  });
}

/** Is this the same registration? The keys of one that expired are gone, so it never is. */
function isSameAgain(row: IdentityRow, { type, publicPem, sealPem }: NewIdentity): boolean {
  const isSame = row.type === type && row.public_pem === publicPem && row.seal_pem === (sealPem ?? null);
  return isSame && row.state === 'registered';
}

const CODE_MESSAGE =
  'this key service wants a valid enrolment code for this device type, and none was sent, or it is wrong, used up or expired: ask the operator for one';

/** Removes the keys of registrations that were not finished in time: a flood of them leaves little behind. */
async function emptyExpired(write: Write<KeyServiceTables>, now: number): Promise<void> {
  await updateExpired(write, { now });
}
