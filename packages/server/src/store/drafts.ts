/** A step of the migration: unsigned messages in the outbox were whole messages without a signature. */
import type { Kysely } from 'kysely';
import { decode, toHex } from '@srup/protocol';

interface Outbox {
  outbox: { id: number; message: Uint8Array; is_signed: number };
}

/** Stores each of them as its draft (outbox/draft.ts), as all are from now on. */
export async function storeDraftsAsDrafts(db: Kysely<unknown>): Promise<void> {
  const outbox = db as unknown as Kysely<Outbox>;
  const rows = await outbox
    .selectFrom('outbox')
    .select(['id', 'message'])
    .where('is_signed', '=', 0)
    .orderBy('id')
    .execute();
  for (const { id, message } of rows) {
    const draft = draftIn(message);
    if (draft === undefined) continue;
    await outbox
      .updateTable('outbox')
      .set({ message: new TextEncoder().encode(draft) })
      .where('id', '=', id)
      .execute();
  }
}

/** Undefined for bytes that are no message: they can't have left before, and can't now. */
function draftIn(bytes: Uint8Array): string | undefined {
  const decoded = decode(bytes);
  if (!decoded.ok) return undefined;
  const { type, token, body } = decoded.value.message;
  const values = Object.entries(body).map(([name, value]: [string, unknown]) => [
    name,
    value instanceof Uint8Array
      ? { hex: toHex(value) }
      : typeof value === 'bigint'
        ? { id: value.toString(16) }
        : value,
  ]);
  return JSON.stringify({ type, token: toHex(token), body: Object.fromEntries(values) as object });
}
