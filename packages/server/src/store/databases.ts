/**
 * Where the databases of a server are. The folder says it, so that every command finds them: they are SQLite files in
 * it, unless `server/database.json` names a database of PostgreSQL.
 */
import { readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Secret, syncFolder, writeFileAtomic } from '@srup/node';
import { z } from 'zod';
import { StoreError } from './fault.ts';
import type { StorePlace } from './open.ts';
import { parsePostgresUrl, urlOf, type PostgresPlace } from './postgres/place.ts';

export const CORE_FILE = 'server/fleet.db';
export const KEYS_FILE = 'key-service/identities.sqlite';
export const DATABASE_NOTE = 'server/database.json';
/** The key service is a trust role of its own, so it has a schema of its own. */
const SCHEMAS = { core: 'srup', keys: 'srup_keys' } as const;

const noteForm = z.strictObject({
  url: z.string(),
  passwordFile: z.string().optional(),
  caFile: z.string().optional(),
  insecurePlain: z.literal(true).optional(),
  /** The identity of the server, as hex text, once it has worked with that database. */
  server: z.string().optional(),
});
/** What `server/database.json` holds: how to get in, and no secret. */
export type DatabaseNote = Readonly<z.infer<typeof noteForm>>;

export interface Databases {
  readonly core: StorePlace;
  readonly keys: StorePlace;
  /** How to get in to a database that is elsewhere. */
  readonly note: DatabaseNote | undefined;
}

/** Where the databases of a server are that starts. */
export interface ChosenDatabases extends Databases {
  /** The server worked with this database before, and it is elsewhere: the note in the folder says so. */
  readonly isKnown: boolean;
}

/**
 * Finds the databases of a server. Rejects with `StoreError` when the note or a file that it names can't be read.
 * @param password instead of the one in the file that the note names
 *
 * @example
 * const { core } = await findDatabases('/var/lib/srup');
 * const { read, close } = openReadOnly<CoreTables>(core);
 */
export async function findDatabases(folder: string, password?: Secret): Promise<Databases> {
  const note = await readDatabaseNote(folder);
  return note === undefined ? filesIn(folder) : databasesAt(note, password);
}

/** The databases as SQLite files in the folder, whatever is there. */
export function filesIn(folder: string): Databases {
  return {
    core: { kind: 'sqlite', file: join(folder, CORE_FILE) },
    keys: { kind: 'sqlite', file: join(folder, KEYS_FILE) },
    note: undefined,
  };
}

/** The databases that a note leads to. */
export async function databasesAt(note: DatabaseNote, password?: Secret): Promise<Databases> {
  const place = parsePostgresUrl(note.url, {
    password: password ?? (await readSecret(note.passwordFile)),
    ca: await readNamed(note.caFile, 'the CA of the database'),
    insecurePlain: note.insecurePlain,
  });
  const at = (schema: string): StorePlace => ({ kind: 'postgres', ...place, schema });
  return { core: at(SCHEMAS.core), keys: at(SCHEMAS.keys), note: { ...note, url: urlOf(place) } };
}

/**
 * The databases for a server that starts, when it is told where they are. Rejects with `StoreError` when what this
 * server knows lies elsewhere: begun anew on an empty database it would use its numbers twice (P 5.1).
 */
export async function chooseDatabases(
  folder: string,
  wish: DatabaseNote | undefined,
  password?: Secret,
): Promise<ChosenDatabases> {
  const known = await readDatabaseNote(folder);
  const isKnown = known?.server !== undefined;
  if (wish === undefined) return { ...(await findDatabases(folder, password)), isKnown };
  const wanted = await databasesAt(wish, password);
  if (known === undefined && !(await isThere(join(folder, CORE_FILE)))) return { ...wanted, isKnown };
  if (known !== undefined && isSame(known, wanted)) return { ...wanted, isKnown };
  const url = wanted.note?.url ?? wish.url;
  const move = `Stop the server and move it: srup database copy --folder ${folder} --to ${url}.`;
  throw new StoreError(
    known === undefined
      ? `What this server knows is in another database: files in ${folder}. ${move}`
      : `What this server knows is in another database: ${known.url}. ${move} ` +
          `If it is the same database under another address, do not copy: change "url" in ${join(folder, DATABASE_NOTE)} to ${url} instead.`,
  );
}

/**
 * Notes in the folder where the databases are. No note: they are files in it. `server`: its identity as hex text, when it
 * has worked with them.
 */
export async function noteDatabases(folder: string, { note }: Databases, server?: string): Promise<void> {
  const file = join(folder, DATABASE_NOTE);
  if (note !== undefined) {
    await writeFileAtomic(file, `${JSON.stringify({ ...note, server }, undefined, 2)}\n`, 0o600);
  } else if (await isThere(file)) {
    await rm(file);
    await syncFolder(dirname(file));
  }
}

/** Tells whether both are the same place. */
export function isSamePlace(one: Databases, other: Databases): boolean {
  if (one.note === undefined || other.note === undefined) return one.note === other.note;
  return isSame(one.note, other);
}

function isSame(known: DatabaseNote, { core }: Databases): boolean {
  if (core.kind !== 'postgres') return false;
  const where = (place: PostgresPlace) => [place.host, place.port, place.database].join(' ');
  return where(parsePostgresUrl(known.url)) === where(core);
}

/** Reads where the folder says that its database is. Undefined: it is files in the folder. */
export async function readDatabaseNote(folder: string): Promise<DatabaseNote | undefined> {
  const file = join(folder, DATABASE_NOTE);
  const text = await readFile(file, 'utf8').catch((fault: unknown) => {
    if (reasonOf(fault) === 'ENOENT') return undefined;
    throw fault;
  });
  if (text === undefined) return undefined;
  try {
    return noteForm.parse(JSON.parse(text));
  } catch (cause) {
    throw new StoreError(
      `${file}, which says where the database is, can't be read. Write {"url": "postgres://USER@HOST/DATABASE"} into it.`,
      { cause },
    );
  }
}

async function readSecret(file: string | undefined): Promise<Secret | undefined> {
  const text = await readNamed(file, 'the password of the database');
  return text === undefined ? undefined : new Secret(text.replace(/\r?\n$/, ''));
}

async function readNamed(file: string | undefined, what: string): Promise<string | undefined> {
  if (file === undefined) return undefined;
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new StoreError(`${file}, with ${what}, can't be read: ${reasonOf(cause)}. Name another file.`, {
      cause,
    });
  });
}

function reasonOf(fault: unknown): string {
  const { code, message } = fault as NodeJS.ErrnoException;
  return code ?? message;
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
