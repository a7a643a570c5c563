import { hash } from 'node:crypto';
import { checkpointText, encodeText, toHex, type SignedCheckpoint, type SignKey } from '@srup/protocol';
import { headOf } from '../chain/head.ts';
import type { Read, Store } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';

export interface StoredCheckpoint extends SignedCheckpoint {
  readonly seq: number;
  readonly at: number;
}

export interface Signer {
  /** The server's identity as hex text. */
  readonly server: string;
  /** The server's Ed25519 key. */
  readonly key: SignKey;
}

/**
 * Signs the trail, which has begun, as it is now. Gives the last checkpoint if no entry came since. Call it again only
 * when it is done: each checkpoint names the one before it.
 * @param at milliseconds since 1970
 */
export async function signCheckpoint(
  store: Store<CoreTables>,
  { server, key }: Signer,
  at: number,
): Promise<StoredCheckpoint> {
  const head = await headOf(store.read);
  const last = await lastCheckpoint(store.read);
  if (last !== undefined && last.seq >= head.seq) return last;
  const previous = last === undefined ? '' : hash('sha256', last.text, 'hex');
  const text = checkpointText({ server, at, previous, ...head });
  const checkpoint = { seq: head.seq, at, text, signature: toHex(key.sign(encodeText(text))) };
  await store.commit((write) => write.insertInto('audit_checkpoints').values(checkpoint).execute());
  return checkpoint;
}

export function lastCheckpoint(read: Read<CoreTables>): Promise<StoredCheckpoint | undefined> {
  return read.selectFrom('audit_checkpoints').selectAll().orderBy('seq', 'desc').limit(1).executeTakeFirst();
}
