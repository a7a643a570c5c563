import type { AuditBodies, NewAuditEntry } from '@srup/protocol';
import { prepare } from '../store/prepared.ts';
import type { KeyServiceTables } from './tables.ts';
import type { Store, Write } from '../store/port.ts';

/** An event of the key service for the audit trail of the C2 core. */
export type NewKeyEvent =
  | Extract<NewAuditEntry, { readonly kind: 'code' | 'registration' }>
  | {
      readonly kind: 'identity';
      readonly at: number;
      readonly device: string;
      readonly body: {
        readonly change: AuditBodies['identity']['change'];
        /** The serial number of the certificate that was issued. */
        readonly serial?: string;
      };
    };

export type KeyEvent = NewKeyEvent & { readonly id: number };

/** The queue of events; each is kept until the C2 core has it. */
export interface KeyEvents {
  /** The events with a higher id than this, in order; at most `limit` of them. */
  after(id: number, limit: number): Promise<readonly KeyEvent[]>;
  /** Removes all events up to this id: the core has them. */
  drop(through: number): Promise<void>;
}

const insertEvent = prepare(
  (write: Write<KeyServiceTables>, p: { readonly at: number; readonly event: string }) =>
    write.insertInto('audit_events').values({ at: p.at, event: p.event }),
);

/** Adds an event in the transaction of what happened. */
export async function addKeyEvent(write: Write<KeyServiceTables>, event: NewKeyEvent): Promise<void> {
  await insertEvent(write, { at: event.at, event: JSON.stringify(event) });
}

export function createKeyEvents(store: Store<KeyServiceTables>): KeyEvents {
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
