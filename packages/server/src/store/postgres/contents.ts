/** What a schema holds beside the tables of the server, asked before they are opened. */
import type pg from 'pg';
import { COPY_TABLE, SELECT_COPY_NOTE } from '../copied.ts';

/** The names of the steps that the schema has taken. */
export async function appliedSteps(client: pg.Client): Promise<readonly string[]> {
  if (!(await holdsTable(client, 'kysely_migration'))) return [];
  const { rows } = await client.query<{ name: string }>('select name from kysely_migration');
  return rows.map(({ name }) => name);
}

/** What a copy left in the schema, as `refuseCopied` takes it. */
export async function copyNoteIn(client: pg.Client): Promise<string | undefined> {
  if (!(await holdsTable(client, COPY_TABLE))) return undefined;
  const { rows } = await client.query<{ note: string }>(SELECT_COPY_NOTE);
  return rows[0]?.note;
}

async function holdsTable(client: pg.Client, name: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [
    name,
  ]);
  return rows[0]?.there === true;
}
