/** The ground of the tests of the store: databases on a real PostgreSQL. */
import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { isMissing } from '../../../../scripts/system-programs.ts';
import { postgresFor } from '../../../../test/support/postgres-for.ts';

async function ask(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

describe.skipIf(isMissing('postgres'))('a database for a test', () => {
  test('is empty, its own, and gone afterwards', async ({ onTestFinished }) => {
    const drops: (() => Promise<void>)[] = [];
    const first = await postgresFor((drop) => drops.push(drop));
    const second = await postgresFor(onTestFinished);
    await ask(first, 'create table devices (id text)');
    const tables = "select 1 from information_schema.tables where table_schema = 'public'";
    expect(await ask(first, tables)).toHaveLength(1);
    expect(await ask(second, tables)).toEqual([]);

    for (const drop of drops) await drop();
    await expect(ask(first, 'select 1')).rejects.toMatchObject({ code: '3D000' });
    expect(await ask(second, 'show server_encoding')).toEqual([{ server_encoding: 'UTF8' }]);
  });

  test('goes away with sessions that are still open', async () => {
    const drops: (() => Promise<void>)[] = [];
    const url = await postgresFor((drop) => drops.push(drop));
    const client = new Client({ connectionString: url });
    const broken = new Promise<Error>((resolve) => client.on('error', resolve));
    await client.connect();
    for (const drop of drops) await drop();
    expect(await broken).toBeInstanceOf(Error);
  });
});
