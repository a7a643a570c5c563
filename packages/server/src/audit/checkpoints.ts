import { hash } from 'node:crypto';
import { checkpointText, encodeText, toHex, type SignedCheckpoint, type SignKey } from '@srup/protocol';
import { headOf } from './append.ts';
import type { AuditTables } from './tables.ts';
import type { Read, Store, Write } from '../store/port.ts';

export interface StoredCheckpoint extends SignedCheckpoint {
  readonly seq: number;
  readonly at: number;
}

export interface Signer {
  /** Hex text of the server's identity. */
  readonly server: string;
  /** The server's Ed25519 key. */
  readonly key: SignKey;
}

/** Signs the trail, which has begun, as it is now, unless nothing came since the last checkpoint: then gives that. */
export function signCheckpoint(
  store: Store<AuditTables>,
  { server, key }: Signer,
  at: number,
): Promise<StoredCheckpoint> {
  return store.commit(async (transaction) => {
    const head = await headOf(transaction);
    const last = await lastCheckpoint(transaction);
    if (last !== undefined && last.seq >= head.seq) return last;
    const previous = last === undefined ? '' : hash('sha256', last.text, 'hex');
    const text = checkpointText({ server, at, previous, ...head });
    const signature = toHex(key.sign(encodeText(text)));
    const checkpoint = { seq: head.seq, at, text, signature };
    await transaction.insertInto('audit_checkpoints').values(checkpoint).execute();
    return checkpoint;
  });
}

export function lastCheckpoint(
  store: Read<AuditTables> | Write<AuditTables>,
): Promise<StoredCheckpoint | undefined> {
  return store.selectFrom('audit_checkpoints').selectAll().orderBy('seq', 'desc').limit(1).executeTakeFirst();
}
