import { queryObjects } from 'node:v8';
import { sql } from 'kysely';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { isMissing } from '../../../../../scripts/system-programs.ts';
import { postgresFor } from '../../../../../test/support/postgres-for.ts';
import { placeAt } from '../../../test/postgres.ts';
import { noteMigrations, storeSuite, type NoteTables } from '../../../test/store-suite.ts';
import { StoreFault } from '../fault.ts';
import { PostgresWays } from './adapter.ts';
import { openPostgres } from './open.ts';
import { openReaders } from './readers.ts';
import { TIMES } from './times.ts';

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

  test('keeps nothing of a read that is over', async ({ onTestFinished }) => {
    const readers = openReaders(placeAt(await postgresFor(onTestFinished)), {
      ...{ schema: 'srup', adapter: new PostgresWays(), times: TIMES, faultOf: (fault) => fault },
    });
    const readMany = async () => {
      for (let n = 0; n < 500; n++) await sql`select 1`.execute(readers.read);
      return queryObjects(Promise, { format: 'count' });
    };
    const before = await readMany();
    expect((await readMany()) - before).toBeLessThan(100);
    await readers.end();
  });

  test('outlives the end of a connection between two statements of a reader', async ({ onTestFinished }) => {
    const url = await postgresFor(onTestFinished);
    const readers = openReaders(placeAt(url), {
      ...{ schema: 'srup', adapter: new PostgresWays(), times: TIMES, faultOf: (fault) => fault },
    });
    const other = new pg.Client(url);
    await other.connect();
    onTestFinished(() => other.end());
    await readers.read.connection().execute(async (held) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(held);
      await other.query('select pg_terminate_backend($1, 5000)', [rows[0]?.pid]);
      await expect(sql`select 1`.execute(held)).rejects.toThrow(StoreFault);
    });
    expect((await sql`select 1 as one`.execute(readers.read)).rows).toEqual([{ one: 1 }]);
    await readers.end();
  });
});
