/** What is known of an identity, and its end (P 8, 10.8). */
import { identityText, type Identity, type SuiteName } from '@srup/protocol';
import type { Enrolment } from '../peers/directory.ts';
import type { Inside, KeyService } from './contract.ts';
import { toBase64 } from './enrolment.ts';
import { addKeyEvent } from './events.ts';
import { answer, refuse, type Answer } from './faults.ts';
import { findRow, isExpired } from './registration.ts';
import { C2_TYPE } from './requests.ts';

/** What a server's key is answered for when no suite is named: that of the published clients. */
const INTEROP_SUITE: SuiteName = 'rsa-sha256';

export function createDirectory({
  options,
  store,
  certificates,
  server,
}: Inside): Pick<KeyService, 'keyOf' | 'typeOf' | 'isC2' | 'isAllowed' | 'find' | 'revoke'> {
  const { clock, serverKeys } = options;

  async function keyOf(identity: string, suite?: SuiteName): Promise<Answer<string>> {
    if (identity === server) return answer(toBase64(serverKeys[suite ?? INTEROP_SUITE].signing));
    const row = await findRow(store.read, identity);
    if (row?.state === 'revoked') return refuse('gone', `the identity ${identity} was revoked (P 10.8)`);
    const isProven = row?.state === 'validated' || row?.state === 'certified';
    if (!isProven || isExpired(row, clock.now()) || (suite ?? row.suite) !== row.suite) return NOT_FOUND;
    return answer(toBase64(row.public_pem));
  }

  async function typeOf(identity: string): Promise<Answer<string>> {
    if (identity === server) return answer(C2_TYPE);
    const row = await findRow(store.read, identity);
    return row === undefined || isExpired(row, clock.now()) ? NOT_FOUND : answer(row.type);
  }

  async function isC2(identity: string): Promise<boolean> {
    const row = await findRow(store.read, identity);
    return (
      identity === server ||
      (row?.type === C2_TYPE && row.state !== 'revoked' && !isExpired(row, clock.now()))
    );
  }

  async function find(id: Identity): Promise<Enrolment | undefined> {
    const row = await findRow(store.read, identityText(id));
    if (row === undefined || isExpired(row, clock.now()) || row.public_pem === '') return undefined;
    const { type, suite, public_pem: publicPem, seal_pem: sealPem, state } = row;
    return { id, type, suite, publicPem, state, ...(sealPem !== null && { sealPem }) };
  }

  async function isAllowed(id: Identity): Promise<boolean> {
    return (await findRow(store.read, identityText(id)))?.state === 'certified';
  }

  /** Commits, then tells: when it fails in between, calling it again does the rest. */
  async function revoke(id: Identity): Promise<void> {
    const device = identityText(id);
    const known = await store.commit(async (trx) => {
      const before = await findRow(trx, device);
      const { numUpdatedRows } = await trx
        .updateTable('identities')
        .set({ state: 'revoked', expires_at: null })
        .where('id', '=', device)
        .executeTakeFirst();
      if (before !== undefined && before.state !== 'revoked') {
        const body = { change: 'revoked' } as const;
        await addKeyEvent(trx, { kind: 'identity', at: clock.now(), device, body });
      }
      await certificates.revokeAll(trx, id);
      return numUpdatedRows > 0n;
    });
    if (!known) return;
    await certificates.publishCrl();
    await options.onRevoked(id);
  }

  return { keyOf, typeOf, isC2, isAllowed, find, revoke };
}

const NOT_FOUND = refuse('not-found', 'no such identity has proven its key here');
