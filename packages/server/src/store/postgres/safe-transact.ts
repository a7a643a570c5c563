/** Transactions whose outcome is known, although the connection can be lost at any time. */
import { DatabaseError } from 'pg';
import { Kysely } from 'kysely';
import { DatabaseAway, Ousted, OutcomeUnknown, StoreFault } from '../fault.ts';
import type { Work, Write } from '../port.ts';
import { prepare } from '../prepared.ts';
import { createTransact, type Transact } from '../transact.ts';
import type { PostgresWays } from './adapter.ts';
import { postgresDialect, Unsettled, WriterDriver } from './dialect.ts';
import { codeOf, faultOf, isWorthRepeating, wordsOf } from './fault.ts';
import type { Times } from './times.ts';
import type { Writer } from './writer.ts';

/** Attempts at a transaction that another one of the same database stood in the way of. */
const MOST_ATTEMPTS = 5;
/** Attempts at a transaction whose connection was lost before anything of it was stored. */
const MOST_CONNECTIONS = 2;
/** How often it is asked whether a transaction was committed: the connection can be lost again meanwhile. */
const SETTLE_ATTEMPTS = 3;

export interface SafeTransact<Tables> {
  readonly transact: Transact<Tables>;
  /** The last turn that is known to be committed. */
  readonly lastTurn: () => number;
  /** True while a transaction may or may not be committed: what is read now may be of before it. */
  readonly isUnsettled: () => boolean;
}

/**
 * Each transaction has a number, its turn, which it writes: when the connection is lost while it commits, the next one
 * tells whether the number is there. Only the owner of the row can write it: a server that lost its lock to another one
 * can commit nothing.
 *
 * @example
 * const { transact } = createSafeTransact<CoreTables>(adapter, writer, TIMES);
 * await transact((write) => write.insertInto('notes').values({ text: 'kept' }).execute());
 */
export function createSafeTransact<Tables>(
  adapter: PostgresWays,
  writer: Writer,
  { settleMs }: Times,
): SafeTransact<Tables> {
  let turn = 0;
  let committed = 0;
  /** The session in which the last transaction was, and the one whose last outcome is unknown. */
  let used = 0;
  let unknown = 0;
  /** The session that was asked for an outcome. */
  let asked = 0;
  const driver = new WriterDriver(async () => {
    const connection = await writer.acquire();
    used = writer.sessions;
    return connection;
  });
  const dialect = postgresDialect(adapter, driver);
  const kysely = new Kysely<Tables>({ dialect });
  const once = createTransact({ kysely, dialect, driver });

  async function takeTurn(write: Write<Tables>, mine: number): Promise<void> {
    const { rows } = await updateTurn(write as unknown as Write<WriterTables>, { mine, owner: writer.owner });
    if (rows.length === 0) throw new Ousted('another server uses the database now: restart this one');
  }

  async function attempt<Value>(work: Work<Tables, Value>, mine: number): Promise<Value> {
    return once(async (write) => {
      const turnTaken = takeTurn(write, mine);
      turnTaken.catch(() => undefined);
      try {
        return await work(write);
      } finally {
        await turnTaken; // if it failed, whatever followed did too
      }
    });
  }

  /** A change that changes nothing: its own commit is on the disk, and with a standby, only after what came before it. */
  async function isCommitted(mine: number): Promise<boolean> {
    const { client } = await writer.acquire(settleMs);
    asked = writer.sessions;
    const { rows } = await client.query<{ turn: number }>(
      'update writer set owner = owner where place = 1 and owner = $1 returning turn',
      [writer.owner],
    );
    const [row] = rows;
    if (row === undefined) throw new Ousted('another server uses the database now: restart this one');
    return row.turn >= mine;
  }

  async function settle(mine: number): Promise<boolean> {
    for (let tried = 1; ; tried++) {
      try {
        return await isCommitted(mine);
      } catch (fault) {
        if (!(fault instanceof StoreFault)) writer.drop(asked);
        if (tried < SETTLE_ATTEMPTS && !(fault instanceof StoreFault)) continue;
        unknown = used;
        throw new OutcomeUnknown('the database went away while it stored this: it is stored, or it is not', {
          cause: fault,
        });
      }
    }
  }

  async function run<Value>(work: Work<Tables, Value>): Promise<Value> {
    const mine = ++turn;
    let made: { readonly value: Value } | undefined;
    try {
      const value = await attempt(async (write) => {
        made = { value: await work(write) };
        return made.value;
      }, mine);
      committed = mine;
      return value;
    } catch (fault) {
      if (!(fault instanceof Unsettled) || made === undefined) throw fault;
      if (!(await settle(mine))) throw refusedAtTheEnd(fault);
      committed = mine;
      return made.value;
    }
  }

  return {
    lastTurn: () => committed,
    isUnsettled: () => unknown > 0 && writer.sessions === unknown,
    transact: async (work) => {
      for (let attempts = 1; ; attempts++) {
        try {
          return await run(work);
        } catch (fault) {
          // Without this the next attempt could begin on what is lost, before that is noticed.
          if (isReadOnly(fault) || isLoss(fault)) writer.drop(used);
          const most = isWorthRepeating(fault) ? MOST_ATTEMPTS : isLoss(fault) ? MOST_CONNECTIONS : 1;
          if (attempts < most) continue;
          // Others stood in its way each time: the database is in trouble, and the work is not wrong.
          throw isWorthRepeating(fault) ? new StoreFault(wordsOf(fault), { cause: fault }) : fault;
        }
      }
    },
  };
}

interface WriterTables {
  writer: { place: number; owner: string; turn: number };
}

const updateTurn = prepare(
  (write: Write<WriterTables>, p: { readonly mine: number; readonly owner: string }) =>
    write
      .updateTable('writer')
      .set({ turn: p.mine })
      .where('place', '=', 1)
      .where('owner', '=', p.owner)
      .returning('turn'),
);

/** PostgreSQL itself can refuse a COMMIT; it says so when it still can. */
function refusedAtTheEnd({ cause, message }: Unsettled): unknown {
  return cause instanceof DatabaseError ? faultOf(cause) : new StoreFault(message, { cause });
}

/** Nothing of it is stored, and the database may be there again: a fail-over, or a restart. */
function isLoss(fault: unknown): boolean {
  if (!(fault instanceof StoreFault) || fault instanceof OutcomeUnknown || fault instanceof DatabaseAway)
    return false;
  return fault.cause instanceof DatabaseError
    ? /^(57P0[123]|25P03|08)/.test(codeOf(fault.cause) ?? '')
    : fault.cause !== undefined;
}

const READ_ONLY = '25006';

/** After a fail-over this machine may be the standby. The next connection may lead to the other one. */
function isReadOnly(fault: unknown): boolean {
  return fault instanceof StoreFault && codeOf(fault.cause) === READ_ONLY;
}
