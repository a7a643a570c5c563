/** A database that refuses to be written, in the ways of each kind. */
import { sql } from 'kysely';
import type { CoreTables } from '../src/store/schema/tables.ts';
import type { Store } from '../src/store/port.ts';
import { behind, databaseKind } from './database.ts';

/** What may be wrong with the disk; the test's words for it. */
export type Trouble = 'is read-only' | 'is full';

/** Undoes it. */
type Mend = () => Promise<void>;

/** What makes a file of SQLite so, and undoes it. */
const PRAGMAS: Readonly<Record<Trouble, readonly [string, string]>> = {
  'is read-only': ['query_only = on', 'query_only = off'],
  'is full': ['max_page_count = 1', 'max_page_count = 1000000'],
};
/** SQLSTATE with which PostgreSQL says it. */
const STATES: Readonly<Record<Trouble, string>> = { 'is read-only': '25006', 'is full': '53100' };

/** Every table refuses every row until it is mended. */
export async function spoil(store: Store<CoreTables>, trouble: Trouble): Promise<Mend> {
  const run = runsOn(store);
  if (databaseKind() === 'sqlite') {
    const [broken, mended] = PRAGMAS[trouble];
    await run(`pragma ${broken}`);
    return () => run(`pragma ${mended}`);
  }
  await run(refusing('spoiled', STATES[trouble]));
  await run(`do $$ declare one text; begin
    for one in select tablename from pg_tables where schemaname = current_schema() loop
      execute format('create trigger spoiled before insert or update on %I for each row execute function spoiled()', one);
    end loop; end $$`);
  return () => run('drop function spoiled() cascade');
}

/**
 * The database refuses what a trigger would fire at.
 * @param moment such as `insert on data for each row when (new.data_id = 'cursed')`
 * @param fault `trouble`: the database itself is in trouble. `mistake`: it will never take such a row.
 */
export async function jam(
  store: Store<CoreTables>,
  moment: string,
  fault: 'trouble' | 'mistake',
): Promise<Mend> {
  const run = runsOn(store);
  if (databaseKind() === 'sqlite') {
    const refusal = fault === 'trouble' ? 'no_such_function()' : "raise(abort, 'never')";
    await run(`create trigger jam before ${moment} begin select ${refusal}; end`);
    return () => run('drop trigger jam');
  }
  await run(refusing('jam', fault === 'trouble' ? '58030' : 'P0001'));
  await run(`create trigger jam before ${moment} execute function jam()`);
  return () => run('drop function jam() cascade');
}

function runsOn(store: Store<CoreTables>): (text: string) => Promise<void> {
  const database = behind(store);
  return async (text) => {
    await sql.raw(text).execute(database);
  };
}

function refusing(name: string, state: string): string {
  return `create function ${name}() returns trigger language plpgsql as
    $$ begin raise exception 'never' using errcode = '${state}'; end $$`;
}
