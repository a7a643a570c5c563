/** What a server of PostgreSQL must be like before it is used. */
import { StoreError, StoreFault } from '../fault.ts';
import { urlOf, type PostgresPlace } from './place.ts';

/** PostgreSQL 15. */
const OLDEST_VERSION = 150_000;
/** 15.2 is 150002. */
const MAJOR = 10_000;

/** What a server says of itself and of one session. */
export interface ServerFacts {
  readonly version: number;
  readonly encoding: string;
  readonly standby: boolean;
  readonly pid: number;
  readonly path: string;
  /** The setting `synchronous_commit`. */
  readonly durability: string;
}

export interface Wanted {
  readonly place: PostgresPlace;
  readonly schema: string;
  /** The process id that was told when the connection was made. */
  readonly told: number | null;
  readonly isReadOnly: boolean;
}

/**
 * Refuses what would go wrong later, in words: throws `StoreError` for what a person must change, and `StoreFault` for
 * what can pass.
 *
 * @example
 * judgeServer(facts, { place, schema: 'srup', told: client.processID, isReadOnly: false });
 */
export function judgeServer(facts: ServerFacts, { place, schema, told, isReadOnly }: Wanted): void {
  const name = `The database ${urlOf(place)}`;
  if (facts.version < OLDEST_VERSION) {
    throw new StoreError(
      `${name} is PostgreSQL ${Math.floor(facts.version / MAJOR)}. Use ${OLDEST_VERSION / MAJOR} or newer.`,
    );
  }
  if (facts.encoding !== 'UTF8') {
    throw new StoreError(
      `${name} has the encoding ${facts.encoding}, which can't hold every text. Create one with --encoding UTF8 --template template0.`,
    );
  }
  // A pooler gives its clients a process id of its own. In one that shares connections, the lock and the settings of
  // this session would belong to somebody else after the next transaction.
  if (facts.pid !== told || facts.path !== schema) {
    throw new StoreError(
      `Between this server and ${urlOf(place)} stands a connection pooler. A lock and prepared statements belong to one connection. Name PostgreSQL itself.`,
    );
  }
  if (facts.standby && !isReadOnly) throw new StoreFault('the database is a standby, which can only be read');
}
