/** The session that writes: it holds the lock of the database, and comes back by itself when it was lost. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { backoffMs, realDelay, systemRandom, within } from '@srup/node';
import { DatabaseAway, Ousted, StoreError, StoreFault } from '../fault.ts';
import type { ConnectionState } from '../port.ts';
import { claimDatabase, type Backend } from './claim.ts';
import { PostgresConnection, type StatementNames } from './dialect.ts';
import { wordsOf } from './fault.ts';
import { urlOf, type PostgresPlace } from './place.ts';
import { connect, connectionFault, type Session } from './session.ts';
import { AGAIN, TELL_EVERY, type Times } from './times.ts';

export interface Writer {
  /** This process, as the database knows it. */
  readonly owner: string;
  /** How many sessions there were. What was under way in an earlier one is decided: its transactions are over. */
  readonly sessions: number;
  /**
   * Gives the connection. While it is lost it is waited for; by default until the patience, counted from the loss, is
   * over. Then it rejects with `DatabaseAway`, and at once when it is called later.
   */
  acquire(waitMs?: number): Promise<PostgresConnection>;
  /** Gives up the session with this number, if it is the present one: the next one may lead to another machine. */
  drop(session: number): void;
  end(): Promise<void>;
}

export interface WriterOptions {
  readonly schema: string;
  readonly names: StatementNames;
  readonly times: Times;
  /** Tells a person that the database is away, or back. */
  readonly tell: (what: string) => void;
  /** The last turn that is known to be committed. */
  readonly lastTurn: () => number;
  readonly onState: (state: ConnectionState) => void;
}

/** Why there is no connection, and since when. */
interface Loss {
  readonly at: number;
  why: string;
}

/**
 * Connects, takes the lock, and stays. A database that is away, or starting, is waited for without end. Rejects with
 * `StoreError` when waiting would not help: a wrong password, another server on the same database.
 *
 * @example
 * const writer = await openWriter(place, { schema: 'srup', names: nameStatements(), times: TIMES, ... });
 * const connection = await writer.acquire();
 */
export async function openWriter(place: PostgresPlace, options: WriterOptions): Promise<Writer> {
  const { schema, names, times, tell, lastTurn, onState } = options;
  const owner = randomUUID();
  const lifetime = new AbortController();
  const { signal } = lifetime;
  let held: { readonly session: Session; readonly backend: Backend } | undefined;
  let sessions = 0;
  let loss: Loss | undefined;
  let current = connectAtLast();

  async function connectOnce(): Promise<PostgresConnection> {
    const session = await connect(place, {
      ...{ schema, name: 'srup: writes', isTimed: true, times },
      settings: [
        // The tables may be empty when a statement is planned, and its plan is kept: by index is right for all of ours.
        'enable_seqscan=off',
        // A COMMIT that waits for a standby and is cancelled says that it is done. Our own timeout ends the session.
        'statement_timeout=0',
        `idle_in_transaction_session_timeout=${times.statementMs}`,
      ],
    });
    try {
      const before = held && { backend: held.backend, turn: lastTurn() };
      const claim = { place, schema, owner, before, lockMs: times.lockMs, tell, signal };
      held = { session, backend: await claimDatabase(session.client, claim) };
    } catch (fault) {
      void session.end();
      throw connectionFault(place, fault);
    }
    session.client.once('end', () => {
      onLost(session);
    });
    sessions += 1;
    return new PostgresConnection(session.client, names);
  }

  async function connectAtLast(): Promise<PostgresConnection> {
    let last = '';
    for (let failures = 0; ;) {
      try {
        const connection = await connectOnce();
        if (failures > 0 || sessions > 1) tell(`the database ${urlOf(place)} is there`);
        loss = undefined;
        return connection;
      } catch (fault) {
        // Later on, whoever keeps the database may mend anything: only the first connection gives up.
        if (fault instanceof Ousted || (fault instanceof StoreError && sessions === 0)) throw fault;
        failures += 1;
        const why = wordsOf(fault);
        if (loss !== undefined) loss.why = why;
        if (failures % TELL_EVERY === 1 || why !== last)
          tell(`the server waits for the database ${urlOf(place)}: ${why}`);
        last = why;
        await pause(backoffMs(failures, AGAIN, systemRandom.unit()), undefined, { signal });
      }
    }
  }

  function onLost(lost: Session): void {
    if (signal.aborted || held?.session !== lost || loss !== undefined) return;
    loss = { at: performance.now(), why: 'the connection was lost' };
    tell(`the connection to the database ${urlOf(place)} is lost; nothing is taken until it is back`);
    onState('lost');
    current = connectAtLast();
    current.then(
      () => {
        if (!signal.aborted) onState('back');
      },
      (fault: unknown) => {
        if (fault instanceof Ousted) tell(fault.message);
      },
    );
  }

  function patience(): number {
    return loss === undefined ? times.patienceMs : loss.at + times.patienceMs - performance.now();
  }

  await current;
  return {
    owner,
    get sessions() {
      return sessions;
    },
    acquire: async (waitMs = patience()) => {
      if (signal.aborted) throw new StoreFault('the database is closed');
      try {
        return await within(realDelay, Math.max(0, waitMs), current, 'no connection');
      } catch (fault) {
        if (fault instanceof StoreFault) throw fault;
        throw new DatabaseAway(`the database is away: ${loss?.why ?? wordsOf(fault)}`, { cause: fault });
      }
    },
    drop: (number) => {
      const { session } = held ?? {};
      if (session === undefined || number !== sessions) return;
      onLost(session);
      void session.end();
    },
    end: async () => {
      lifetime.abort();
      await held?.session.end();
      await current.catch(() => undefined);
      await held?.session.end(); // an attempt that was under way may have made another one
    },
  };
}
