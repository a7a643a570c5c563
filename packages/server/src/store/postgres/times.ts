import type { BackoffBounds } from '@srup/node';

/** How long PostgreSQL is waited for, in milliseconds. */
export interface Times {
  /** For a connection. */
  readonly connectMs: number;
  /** For the answer to a statement, after which the connection is given up: a network can swallow everything. */
  readonly statementMs: number;
  /** How long work waits for a database that is away, counted from its loss, before it fails. */
  readonly patienceMs: number;
  /** How long the outcome of a COMMIT is waited for when the connection was lost meanwhile. */
  readonly settleMs: number;
  /** How long the lock of the database may still be held when a server starts: its last one may have been killed. */
  readonly lockMs: number;
  /** For the end of a session, before its socket is destroyed. */
  readonly endMs: number;
}

export const TIMES: Times = {
  connectMs: 5_000,
  statementMs: 30_000,
  patienceMs: 5_000,
  settleMs: 10_000,
  lockMs: 40_000,
  endMs: 2_000,
};

/** The wait before the first and before later attempts at a database that is in trouble. */
export const AGAIN: BackoffBounds = { leastMs: 100, mostMs: 5_000 };
/** Attempts between two words about a database that stays in trouble for the same reason. */
export const TELL_EVERY = 12;
