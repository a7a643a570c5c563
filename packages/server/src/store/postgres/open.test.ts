import { sql } from 'kysely';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { isMissing } from '../../../../../scripts/system-programs.ts';
import { postgresFor } from '../../../../../test/support/postgres-for.ts';
import { placeAt } from '../../../test/postgres.ts';
import { noteMigrations, storeSuite, type NoteTables } from '../../../test/store-suite.ts';
import { nameStatements, PostgresConnection, ReaderDriver } from './dialect.ts';
import { openPostgres } from './open.ts';
import { clientConfig } from './session.ts';

describe.skipIf(isMissing('postgres'))('PostgreSQL', () => {
  storeSuite('PostgreSQL', async () => {
    const later: (() => Promise<void>)[] = [];
    const url = await postgresFor((drop) => later.push(drop));
    return {
      open: (migrations, onFault) => openPostgres(placeAt(url), migrations, { onFault }),
      remove: async () => {
        for (const drop of later) await drop();
      },
    };
  });

  test('compiles no statement of a commit: that takes longer than what it does', async ({
    onTestFinished,
  }) => {
    const place = placeAt(await postgresFor(onTestFinished));
    const store = await openPostgres<NoteTables>(place, noteMigrations);
    onTestFinished(() => store.close());
    const plan = await store.commit((write) =>
      sql<Record<string, string>>`explain analyze update writer set turn = turn where owner = ''`.execute(
        write,
      ),
    );
    const lines = plan.rows.flatMap((row) => Object.values(row));
    expect(lines).toContainEqual(expect.stringContaining('Execution Time'));
    expect(lines.filter((line) => line.includes('JIT'))).toEqual([]);
  });

  test('outlives the end of a connection between two statements of a reader', async ({ onTestFinished }) => {
    const place = placeAt(await postgresFor(onTestFinished));
    const [held, other] = [1, 2].map(
      () => new pg.Pool(clientConfig(place, { schema: 'srup', name: 'test' })),
    ) as [pg.Pool, pg.Pool];
    onTestFinished(() => other.end());
    const driver = new ReaderDriver(held, nameStatements());
    const connection = await driver.acquireConnection();
    if (!(connection instanceof PostgresConnection)) throw new TypeError('a connection of another database');
    const { rows } = await connection.client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const ended = new Promise((resolve) => connection.client.once('end', resolve));
    await other.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
    await ended;
    await driver.releaseConnection(connection);
    await driver.destroy();
  });
});
