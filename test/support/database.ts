/** The database of a whole server: files in its folder, or PostgreSQL in the project that runs the same tests on it. */
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMissing } from '../../scripts/system-programs.ts';
import { databaseKind } from '../../packages/server/test/database.ts';
import { splitPassword } from '../../packages/server/test/postgres.ts';
import { startPostgres, type Postgres } from './postgres.ts';
import { postgresFor } from './postgres-for.ts';

/** The part of a ground that it needs. */
interface Ground {
  readonly folder: string;
  readonly later: (step: () => unknown) => void;
}

const noteOf = ({ folder }: Pick<Ground, 'folder'>): string =>
  join(folder, 'server', 'server', 'database.json');

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
  return optionsOf(
    await writeAccess(await postgresFor(ground.later), join(ground.folder, 'restored-password')),
  );
}

/** Notes the database in the folder of the server that will be, as the server does it. */
export async function noteDatabase(ground: Pick<Ground, 'folder'>, text: string): Promise<void> {
  const access = await writeAccess(text, join(ground.folder, 'database-password'));
  await mkdir(dirname(noteOf(ground)), { recursive: true, mode: 0o700 });
  await writeFile(noteOf(ground), JSON.stringify(access), { mode: 0o600 });
}

export interface Access {
  readonly url: string;
  readonly passwordFile: string;
}

/** Writes the password of a test's URL into a file, as the product wants it. */
export async function writeAccess(text: string, passwordFile: string): Promise<Access> {
  const { url, password } = splitPassword(text);
  await writeFile(passwordFile, password.reveal(), { mode: 0o600 });
  return { url, passwordFile };
}

/** The options of `srup` that name the database. */
export function optionsOf({ url, passwordFile }: Access): readonly string[] {
  return ['--database', url, '--database-password-file', passwordFile];
}
