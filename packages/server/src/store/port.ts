/**
 * The port to a database. Everything that is read, is read through `read`; everything that is written, is written
 * through `commit` or `add`. `store/sqlite/` and `store/postgres/` implement it; no other room knows which database
 * there is.
 */
import type { Kysely, Transaction } from 'kysely';

/** Queries of what is committed. A statement sees one moment; two statements may see two. */
export type Read<Tables> = Pick<Kysely<Tables>, 'selectFrom' | 'executeQuery' | 'getExecutor'>;

/** One transaction. It exists only inside the work of a `commit`, so nothing is written outside of one. */
export type Write<Tables> = Pick<
  Transaction<Tables>,
  | 'selectFrom'
  | 'insertInto'
  | 'updateTable'
  | 'deleteFrom'
  | 'executeQuery'
  | 'getExecutor'
  | 'isTransaction'
>;

/**
 * Work that belongs in one transaction. It runs again when the transaction that it shared with other work failed, so
 * it must do nothing but read, write and return: whatever it decides by, it is given as a value.
 */
export type Work<Tables, Value> = (write: Write<Tables>) => Promise<Value>;

/**
 * Writes many pieces of work at one go, with statements that they share. Gives a value for each piece. The same holds
 * for it as for `Work`.
 */
export type Batch<Tables, Piece, Value> = (
  write: Write<Tables>,
  pieces: readonly Piece[],
) => Promise<readonly Value[]>;

/** What a commit announces, and where the newest of it is found. */
export interface Announcement {
  readonly of: Announced;
  readonly place: number;
}
/** `recovered`: the database was away, and is back. What was being stored then may be there although it failed. */
export type Announced = 'events' | 'errands' | 'recovered';

/**
 * @example
 * const store: Store<NoteTables> = await openSqlite('notes.db', noteMigrations);
 * await store.commit((write) => write.insertInto('notes').values({ text: 'kept' }).execute());
 * const notes = await store.read.selectFrom('notes').selectAll().execute();
 */
export interface Store<Tables> {
  readonly read: Read<Tables>;
  /**
   * Resolves when the work is on disk. Rejects when it isn't and never will be: with `StoreFault` when the database is
   * in trouble, or as the work did. One `StoreFault` says less, `OutcomeUnknown`. `announce` names what the committed
   * value brings for those who listen.
   */
  commit<Value>(
    work: Work<Tables, Value>,
    announce?: (value: Value) => readonly Announcement[],
  ): Promise<Value>;
  /** The same for a piece of work that is written together with others of its batch. */
  add<Piece, Value>(
    batch: Batch<Tables, Piece, Value>,
    piece: Piece,
    announce?: (value: Value) => readonly Announcement[],
  ): Promise<Value>;
  /** Calls the listener after each commit that announced this. Returns how to stop. */
  listen(of: Announced, listener: (place: number) => void): () => void;
  /** Waits for what is being committed, and closes the database. It ends in bounded time, wherever the database is. */
  close(): Promise<void>;
}

/** A database for reading only. A server may be writing to it meanwhile. */
export interface ReadOnly<Tables> {
  readonly read: Read<Tables>;
  close(): Promise<void>;
}

export type ConnectionState = 'lost' | 'back';

export interface StoreOptions {
  /** Gets the milliseconds that each transaction took. */
  readonly onCommitted?: ((ms: number) => void) | undefined;
  /** Gets what a listener threw. By default it is thrown where nobody catches it: it is a mistake of the program. */
  readonly onFault?: ((fault: unknown) => void) | undefined;
  /** Called when a database that is there did not store some work. It may store the next piece: a full disk takes small things longer than large ones. */
  readonly onFailed?: (() => void) | undefined;
  /** Tells a person that the database is away, or back. */
  readonly tell?: ((what: string) => void) | undefined;
  /** Called when the connection that writes was lost, and when it is there again. A file has none to lose. */
  readonly onConnection?: ((state: ConnectionState) => void) | undefined;
  /**
   * True: a server worked with this database before. One without tables is refused: if the server began anew,
   * it would use its numbers twice (P 5.1). Only PostgreSQL looks at it.
   */
  readonly isKnown?: boolean | undefined;
  /** True: a copy opens it, so it is opened whatever an earlier copy left there. */
  readonly isForCopy?: boolean | undefined;
}
