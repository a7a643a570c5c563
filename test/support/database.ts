/** The database of a whole server: files in its folder, or PostgreSQL in the project that runs the same tests on it. */
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMissing } from '../../scripts/system-programs.ts';
import { databaseKind } from '../../packages/server/test/database.ts';
import { startPostgres, type Postgres } from './postgres.ts';
import { postgresFor } from './postgres-for.ts';

/** The part of a ground that it needs. */
interface Ground {
  readonly folder: string;
  readonly later: (step: () => unknown) => void;
}

const noteOf = ({ folder }: Ground): string => join(folder, 'server', 'server', 'database.json');

/** Whether the program of the database is installed on which the tests of this run are tested. */
export function hasDatabase(): boolean {
  return databaseKind() === 'sqlite' || !isMissing('postgres');
}

/** Decides where the server of this ground will have its database, unless that is decided. True: not in its folder. */
export async function chooseDatabase(ground: Ground): Promise<boolean> {
  const isNoted = await stat(noteOf(ground)).then(
    () => true,
    () => false,
  );
  if (isNoted || databaseKind() === 'sqlite') return isNoted;
  await noteDatabase(ground, await postgresFor(ground.later));
  return true;
}

/** Gives this ground a PostgreSQL of its own, which syncs what it commits: a test may kill it. */
export async function startDatabase(ground: Ground): Promise<Postgres> {
  const postgres = await startPostgres();
  ground.later(() => postgres.clear());
  await noteDatabase(ground, await postgres.createDatabase());
  return postgres;
}

/** Options of `srup restore` that put the restored server on an empty database of the kind of this run. */
export async function restoreOptions(ground: Ground): Promise<readonly string[]> {
  if (databaseKind() === 'sqlite') return [];
  const url = new URL(await postgresFor(ground.later));
  const passwordFile = join(ground.folder, 'restored-password');
  await writeFile(passwordFile, url.password, { mode: 0o600 });
  url.password = '';
  return ['--database', url.href, '--database-password-file', passwordFile];
}

/** Notes the database in the folder of the server that will be, as the server does it. */
async function noteDatabase(ground: Ground, text: string): Promise<void> {
  const url = new URL(text);
  const passwordFile = join(ground.folder, 'database-password');
  await writeFile(passwordFile, url.password, { mode: 0o600 });
  url.password = '';
  await mkdir(dirname(noteOf(ground)), { recursive: true, mode: 0o700 });
  await writeFile(noteOf(ground), JSON.stringify({ url: url.href, passwordFile }), { mode: 0o600 });
}
