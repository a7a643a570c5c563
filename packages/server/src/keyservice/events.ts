import type { AuditBodies, NewAuditEntry } from '@srup/protocol';
import type { KeyServiceTables } from './tables.ts';
import type { Store, Write } from '../store/port.ts';

/** What the C2 core's audit trail is to be told of. */
export type NewKeyEvent =
  | Extract<NewAuditEntry, { readonly kind: 'code' | 'registration' }>
  | {
      readonly kind: 'identity';
      readonly at: number;
      readonly device: string;
      readonly body: {
        readonly change: AuditBodies['identity']['change'];
        /** Of the certificate that was issued. */
        readonly serial?: string;
      };
    };

export type KeyEvent = NewKeyEvent & { readonly id: number };

/** The queue of events, kept until the C2 core has them. */
export interface KeyEvents {
  /** In order, from after this id. */
  after(id: number, limit: number): Promise<readonly KeyEvent[]>;
  /** The core has all up to this id. */
  drop(through: number): Promise<void>;
}

/** In the transaction of what happened. */
export async function addKeyEvent(transaction: Write<KeyServiceTables>, event: NewKeyEvent): Promise<void> {
  const values = { at: event.at, event: JSON.stringify(event) };
  await transaction.insertInto('audit_events').values(values).execute();
}

export function openKeyEvents(store: Store<KeyServiceTables>): KeyEvents {
  return {
    after: async (id, limit) => {
      const rows = await store.read
        .selectFrom('audit_events')
        .selectAll()
        .where('id', '>', id)
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ ...(JSON.parse(row.event) as NewKeyEvent), id: row.id }));
    },
    drop: async (through) => {
      await store.commit((write) => write.deleteFrom('audit_events').where('id', '<=', through).execute());
    },
  };
}
