/** The session that writes: it holds the lock of the database, and comes back by itself when it was lost. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { backoffMs, realDelay, systemRandom, within, type BackoffBounds } from '@srup/node';
import { StoreError, StoreFault } from '../fault.ts';
import { PostgresConnection, type StatementNames } from './dialect.ts';
import { claimDatabase } from './claim.ts';
import { urlOf, type PostgresPlace } from './place.ts';
import { connect } from './session.ts';

/** The wait before the first and before later attempts to connect. */
const BACKOFF: BackoffBounds = { leastMs: 100, mostMs: 5_000 };
/** How long work waits for a database that is away before it fails, in milliseconds. */
const PATIENCE_MS = 5_000;
/** Attempts between two words about a database that stays away. */
const TELL_EVERY = 12;

export interface Writer {
  /** This process, as the database knows it. */
  readonly owner: string;
  /** Gives the connection. Waits for it when it is lost; rejects with `StoreFault` when it doesn't come back in time. */
  acquire(): Promise<PostgresConnection>;
  /** Gives up this connection, so that the next one may lead to another machine. */
  drop(): void;
  end(): Promise<void>;
}

export interface WriterOptions {
  readonly schema: string;
  readonly names: StatementNames;
  /** Tells a person that the database is away, or back. */
  readonly tell: (what: string) => void;
  /** Called when the session is there again after it was lost. */
  readonly onBack: () => void;
}

/**
 * Connects, takes the lock, and stays. A database that is away, or starting, is waited for without end. Rejects with
 * `StoreError` when waiting would not help: a wrong password, another server on the same database.
 *
 * @example
 * const writer = await openWriter(place, { schema: 'srup', names: nameStatements(), tell, onBack });
 * const connection = await writer.acquire();
 */
export async function openWriter(place: PostgresPlace, options: WriterOptions): Promise<Writer> {
  const { schema, names, tell, onBack } = options;
  const owner = randomUUID();
  let isEnding = false;
  let client: pg.Client | undefined;
  let current: Promise<PostgresConnection> = connectAtLast();

  async function connectOnce(): Promise<PostgresConnection> {
    const made = await connect(place, {
      ...{ schema, name: 'srup: writes', isTimed: true },
      // The tables may be empty when a statement is planned, and its plan is kept: by index is right for all of ours.
      settings: ['enable_seqscan=off', 'jit=off'],
    });
    try {
      await claimDatabase(made, { place, schema, owner, isFirst: client === undefined, tell });
    } catch (fault) {
      void made.end().catch(() => undefined);
      throw fault;
    }
    client = made;
    made.once('end', () => {
      onLost(made);
    });
    return new PostgresConnection(made, names);
  }

  async function connectAtLast(): Promise<PostgresConnection> {
    for (let failures = 0; ;) {
      try {
        const connection = await connectOnce();
        if (failures > 0) tell(`the database ${urlOf(place)} is there`);
        return connection;
      } catch (fault) {
        // Later on, whoever keeps the database may mend anything: only the first connection gives up.
        if (fault instanceof StoreError && client === undefined) throw fault;
        failures += 1;
        if (failures % TELL_EVERY === 1) {
          tell(`the server waits for the database ${urlOf(place)}: ${(fault as Error).message}`);
        }
        const wait = backoffMs(failures, BACKOFF, systemRandom.unit());
        await pause(wait);
        if (isEnding) throw new StoreFault('the database is closed');
      }
    }
  }

  function onLost(lost: pg.Client): void {
    if (isEnding || client !== lost) return;
    tell(`the connection to the database ${urlOf(place)} is lost; nothing is taken until it is back`);
    current = connectAtLast();
    current.then(onBack, () => undefined);
  }

  await current;
  return {
    owner,
    acquire: async () => {
      const connection = current;
      if (isEnding) throw new StoreFault('the database is closed');
      try {
        return await within(realDelay, PATIENCE_MS, connection, 'the database is away');
      } catch (fault) {
        throw new StoreFault((fault as Error).message, { cause: fault });
      }
    },
    drop: () => void client?.end().catch(() => undefined),
    end: async () => {
      isEnding = true;
      await client?.end().catch(() => undefined);
    },
  };
}
