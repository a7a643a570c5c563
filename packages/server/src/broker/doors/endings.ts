import type { Client } from 'aedes';
import type { Identity } from '@srup/protocol';

/** Remembers which identities were ended, so that a connection that is being let in at that moment ends too. */
export interface Endings {
  /** The connections of this identity up to now are over. */
  end(id: Identity): void;
  /** Call it when a client begins to connect, before anything is awaited. */
  begin(client: Client, id: Identity): void;
  /** True when the identity was ended after the client began, or the client never began. */
  wasEnded(client: Client, id: Identity): boolean;
}

export function createEndings(): Endings {
  /** How often each identity was ended, now and when a client began. */
  const counts = new Map<Identity, number>();
  const begun = new WeakMap<Client, number>();
  const countOf = (id: Identity): number => counts.get(id) ?? 0;
  return {
    end: (id) => counts.set(id, countOf(id) + 1),
    begin: (client, id) => begun.set(client, countOf(id)),
    wasEnded: (client, id) => begun.get(client) !== countOf(id),
  };
}
