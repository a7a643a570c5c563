import type { Generated, Kysely, Selectable } from 'kysely';
import { decode, toHex } from '@srup/protocol';
import { counted, needed, ofDevice } from './columns.ts';
import type { Migrations } from './steps.ts';

/** Messages that are owed to the broker. */
export interface OutboxTable {
  id: Generated<number>;
  device: string;
  sequence: string;
  /** The signed bytes; until `is_signed` the draft, in the form of `writeDraft`. */
  message: Uint8Array;
  is_signed: number;
  created_at: number;
}

export type OutboxRow = Selectable<OutboxTable>;

/** Part of the step `fleet-001`. */
export async function createOutbox({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('outbox')
    .addColumn('id', 'integer', counted)
    .addColumn('device', 'text', ofDevice)
    .addColumn('sequence', 'text', needed)
    .addColumn('message', 'blob', needed)
    .addColumn('is_signed', 'integer', needed)
    .addColumn('created_at', 'integer', needed)
    .execute();
  await schema.createIndex('outbox_by_device').on('outbox').columns(['device', 'id']).execute();
}

export const outboxSteps: Migrations = { 'fleet-outbox-001': { up: storeDraftsAsDrafts } };

/** The outbox as this step finds it. */
interface Outbox {
  outbox: { id: number; message: Uint8Array; is_signed: number };
}

/** Release 0.1 stored an unsigned message whole, with an empty signature. From this step on it is a draft. */
async function storeDraftsAsDrafts(db: Kysely<unknown>): Promise<void> {
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

/** Undefined for bytes that are no message: they could not leave before, and can't leave now. */
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
