import { Transaction, type DatabaseConnection, type Dialect, type Driver, type Kysely } from 'kysely';
import type { Work } from './port.ts';

/** Runs work in a transaction of its own. Rejects when nothing is committed. */
export type Transact<Tables> = <Value>(work: Work<Tables, Value>) => Promise<Value>;

export interface TransactPorts<Tables> {
  readonly kysely: Kysely<Tables>;
  readonly dialect: Dialect;
  readonly driver: Driver;
}

/**
 * Makes transactions whose statements may be under way at the same time: kysely's own wait for each other, which costs
 * a way to the database for each. They are done in the order in which they were asked for.
 */
export function createTransact<Tables>({ kysely, dialect, driver }: TransactPorts<Tables>): Transact<Tables> {
  const executor = kysely.getExecutor();
  return (work) =>
    executor.provideConnection(async (connection) => {
      let isOver = false;
      const provideConnection = async <Value>(use: (one: DatabaseConnection) => Promise<Value>) => {
        if (isOver)
          throw new TypeError('the work of a commit has ended: nothing can be written with it any more');
        return use(connection);
      };
      const inside = executor.withConnectionProvider({ provideConnection });
      const transaction = new Transaction<Tables>({ config: { dialect }, dialect, driver, executor: inside });
      await driver.beginTransaction(connection, {});
      try {
        const value = await work(transaction);
        isOver = true;
        await driver.commitTransaction(connection);
        return value;
      } catch (fault) {
        isOver = true;
        await driver.rollbackTransaction(connection);
        throw fault;
      }
    });
}
