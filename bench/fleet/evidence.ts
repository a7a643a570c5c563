/** What the server of a fleet has stored, read from its database while it runs. */
import { findDatabases } from '../../packages/server/src/store/databases.ts';
import { openReadOnly } from '../../packages/server/src/store/open.ts';
import type { CoreTables } from '../../packages/server/src/store/schema/tables.ts';

/** A message of an update. */
export interface Heard {
  readonly device: string;
  readonly type: string;
  readonly at: number;
}

export interface Evidence {
  /** Devices that have joined and said what they are. */
  joined(): Promise<number>;
  /** Updates that ended well. */
  active(): Promise<number>;
  /** When the first device was heard, ms since 1970. */
  firstSeenAt(): Promise<number>;
  /** INITIATE, RESPONSE, ACTIVATE, RESPONSE of every device since this time, in that order. */
  update(since: number): Promise<readonly Heard[]>;
  close(): Promise<void>;
}

/** @param folder of the server */
export async function openEvidence(folder: string): Promise<Evidence> {
  const reading = openReadOnly<CoreTables>((await findDatabases(folder)).core);
  const { read } = reading;
  return {
    joined: async () => {
      const { n } = await read
        .selectFrom('devices')
        .select((select) => select.fn.countAll<number>().as('n'))
        .where('standing', '=', 'joined')
        .where('confirms', '=', 1)
        .executeTakeFirstOrThrow();
      return n;
    },
    active: async () => {
      const { n } = await read
        .selectFrom('exchanges')
        .select((select) => select.fn.countAll<number>().as('n'))
        .where('kind', '=', 'update')
        .where('phase', '=', 'active')
        .executeTakeFirstOrThrow();
      return n;
    },
    firstSeenAt: async () => {
      const { at } = await read
        .selectFrom('devices')
        .select((select) => select.fn.min('first_seen_at').as('at'))
        .executeTakeFirstOrThrow();
      return at;
    },
    update: (since) =>
      read
        .selectFrom('messages')
        .select(['device', 'type', 'at'])
        .where('at', '>=', since)
        .where('type', 'in', ['INITIATE', 'ACTIVATE', 'RESPONSE'])
        .orderBy('device')
        .orderBy('id')
        .execute(),
    close: () => reading.close(),
  };
}
