/** What a schema holds beside the tables of the server, asked before they are opened. */
import type pg from 'pg';
import { COPY_TABLE, SELECT_COPY_NOTE } from '../../copied.ts';
import { faultOf } from '../fault.ts';

/** The names of the steps that the schema has taken. */
export async function appliedSteps(client: pg.Client): Promise<readonly string[]> {
  if (!(await holdsTable(client, 'kysely_migration'))) return [];
  const rows = await ask<{ name: string }>(client, 'select name from kysely_migration');
  return rows.map(({ name }) => name);
}

/** What a copy left in the schema, as `refuseCopied` takes it. */
export async function copyNoteIn(client: pg.Client): Promise<string | undefined> {
  if (!(await holdsTable(client, COPY_TABLE))) return undefined;
  const rows = await ask<{ note: string }>(client, SELECT_COPY_NOTE);
  return rows[0]?.note;
}

async function holdsTable(client: pg.Client, name: string): Promise<boolean> {
  const rows = await ask<{ there: boolean }>(client, 'select to_regclass($1) is not null as there', [name]);
  return rows[0]?.there === true;
}

async function ask<Row extends pg.QueryResultRow>(
  client: pg.Client,
  text: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  try {
    return (await client.query<Row>(text, [...values])).rows;
  } catch (fault) {
    throw faultOf(fault);
  }
}
